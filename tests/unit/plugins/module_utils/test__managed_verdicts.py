# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed_verdicts as verdicts
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import Facility
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_verdicts import Seen

REQUESTS = json.loads((Path(__file__).parent / "fixtures" / "agents.json").read_text())["requests"]
FIRST, SECOND = REQUESTS["north:1e0ff25a-2a9c-4d1f-b41c-3a6e8b5a0c11"], REQUESTS["north:second"]
FOREIGN = next(text for name, text in REQUESTS.items() if name.startswith("a2"))
USER = "system:serviceaccount:north:north-bootstrap-sa"
NORTH = Facility("north", import_by="manifests")
GOOD = {
    "HubAcceptedManagedCluster": ("True", "HubClusterAdminAccepted"), "ManagedClusterJoined": ("True", "Joined"),
    "ManagedClusterConditionAvailable": ("True", "ManagedClusterAvailable"),
}  # fmt: skip


def cluster(conditions=None, accepts=True, **metadata):
    told = [
        {"type": kind, "status": entry[0], "reason": entry[1], "message": (*entry, "some words.")[2]}
        for kind, entry in (GOOD if conditions is None else conditions).items()
    ]
    return {"metadata": {"name": "north", **metadata}, "spec": {"hubAcceptsClient": accepts},
            "status": {"conditions": told}}  # fmt: skip


def request(text=FIRST, name="north-1", user=USER, state=None, signer="kubernetes.io/kube-apiserver-client"):
    return {
        "metadata": {"name": name}, "spec": {"request": text, "username": user, "signerName": signer},
        "status": {"conditions": [{"type": state, "status": "True"}]} if state else {},
    }  # fmt: skip


def judge(seen, *requests, facility=NORTH, known=()):
    return verdicts.judge(facility, Seen(seen, list(requests), frozenset(known)))


def test_a_facility_that_is_in_touch_is_ready():
    assert judge(cluster()).state == "ready"


def test_its_own_request_is_approved_also_before_the_hub_has_accepted():
    for seen in (cluster({}), cluster({"HubAcceptedManagedCluster": ("True", "HubClusterAdminAccepted")})):
        assert judge(seen, request()).approve == ("north-1",)


@pytest.mark.parametrize("state", ["Approved", "Denied"])
def test_what_is_decided_is_not_approved_again(state):
    assert not judge(cluster({}), request(state=state)).approve


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"user": "system:admin"}, f"should come from {USER}, but it comes from system:admin"),
        ({"text": FOREIGN}, "carries the name north, but asks for a certificate for a2"),
        ({"signer": "example.com/other"}, "asks for a certificate for something else"),
    ],
)
def test_a_strangers_request_is_not_approved(given, said):
    verdict = judge(cluster({}), request(**given))
    assert (verdict.state, verdict.approve) == ("failing", ())
    assert said in verdict.reason


def test_a_strangers_request_does_not_disturb_a_facility_that_is_in_touch():
    assert judge(cluster(), request(user="system:admin")).state == "ready"


def test_the_name_is_taken_by_one_that_answers():
    verdict = judge(cluster(), request(SECOND))
    assert (verdict.state, verdict.approve) == ("failing", ())
    assert "CSR north-1 of agent second asks to be let in under this name, while the cluster" in verdict.reason


def test_of_two_agents_none_is_let_in():
    verdict = judge(cluster({}), request(), request(SECOND, "north-2"))
    assert (verdict.state, verdict.approve) == ("failing", ())
    assert "only one of them can be meant" in verdict.reason


def test_one_agent_may_ask_twice():
    assert judge(cluster({}), request(), request(name="north-2")).approve == ("north-1", "north-2")


def test_a_lost_facility_may_come_back_with_another_agent():
    lost = GOOD | {"ManagedClusterConditionAvailable": ("Unknown", "ManagedClusterLeaseUpdateStopped")}
    assert judge(cluster(lost), request(SECOND)).approve == ("north-1",)


def test_an_agent_that_the_facility_knows_as_its_own_asks_anew():
    assert judge(cluster(), request(SECOND), known=["second"]).approve == ("north-1",)


def test_a_renewal_is_the_hubs_affair():
    own = "system:open-cluster-management:north:1e0ff25a-2a9c-4d1f-b41c-3a6e8b5a0c11"
    assert judge(cluster(), request(user=own)) == judge(cluster())


@pytest.mark.parametrize(
    ("seen", "state", "said"),
    [
        (None, "waiting", "its ManagedCluster does not exist yet"),
        (cluster(deletionTimestamp="2026-11-26T10:00:00Z"), "failed", "is being deleted since 2026-11-26T10:00:00Z."),
        (cluster({}, accepts=False), "failing", "spec.hubAcceptsClient of its ManagedCluster is false"),
        (cluster({}), "waiting", "has not taken up its acceptance"),
        (
            cluster(GOOD | {"HubAcceptedManagedCluster": ("False", "HubClusterAdminDenied")}),
            "failing",
            "says HubAcceptedManagedCluster=False, HubClusterAdminDenied: some words; that it was available before",
        ),
        (
            cluster(GOOD | {"ManagedClusterConditionClockSynced": ("False", "ManagedClusterClockOutOfSync")}),
            "failing",
            "Set the clock of both by NTP",
        ),
        (
            cluster(GOOD | {"ManagedClusterConditionAvailable": ("Unknown", "ManagedClusterLeaseUpdateStopped")}),
            "failing",
            "its agent should report to the hub, but has stopped to",
        ),
        (
            cluster(GOOD | {"ManagedClusterConditionAvailable": ("False", "ManagedClusterKubeAPIServerUnavailable")}),
            "failing",
            "it should be available, but its agent says ManagedClusterConditionAvailable=False",
        ),
    ],
)
def test_what_stops_a_registration_is_said(seen, state, said):
    verdict = judge(seen)
    assert verdict.state == state
    assert said in verdict.reason


def test_available_means_nothing_after_a_denial():
    denied = GOOD | {"HubAcceptedManagedCluster": ("False", "HubClusterAdminDenied")}
    assert judge(cluster(denied)).state == "failing"
    assert judge(cluster(denied, accepts=False)).state == "failing"


def test_a_denial_that_is_asked_for():
    facility = Facility("north", accept=False)
    denied = GOOD | {"HubAcceptedManagedCluster": ("False", "HubClusterAdminDenied")}
    assert judge(cluster(denied, accepts=False), facility=facility).state == "ready"
    assert judge(cluster(accepts=False), facility=facility).state == "waiting"
    assert judge(cluster({}, accepts=False), facility=facility).state == "ready"


def test_an_accepted_cluster_without_a_trace_of_its_agent():
    accepted = {"HubAcceptedManagedCluster": ("True", "HubClusterAdminAccepted")}
    verdict = judge(cluster(accepted))
    assert verdict.silent
    assert "no CSR of its agent has come to the hub yet" in verdict.reason
    assert "although CSR north-1 is approved" in judge(cluster(accepted), request(state="Approved")).reason
    assert "somebody denied it" in judge(cluster(accepted), request(state="Denied")).reason


@pytest.mark.parametrize(
    ("reason", "message", "state", "said"),
    [
        ("ManagedClusterImporting", "resources are applied", "waiting", "has not taken up its acceptance"),
        ("ManagedClusterImportFailed", "GET /version: 401 Unauthorized", "failing", "the token is wrong, has expired"),
        ("ManagedClusterImportFailed", "dial tcp 1.2.3.4:6443: connect: connection refused", "failing", "hub_url"),
        ("ManagedClusterImportFailed", "x509: unknown authority", "failing", "not signed by the authority"),
        ("ManagedClusterImportFailed", "what?", "failing", "log of the import controller"),
    ],
)
def test_what_the_import_controller_says(reason, message, state, said):
    verdict = judge(cluster({"ManagedClusterImportSucceeded": ("False", reason, message)}))
    assert verdict.state == state
    assert said in verdict.reason
