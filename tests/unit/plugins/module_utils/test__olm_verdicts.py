# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _olm_verdicts as verdicts
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm import Operator, Place
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_verdicts import Seen

V1, V2 = "demo.v1.0.0", "demo.v2.0.0"
WRITTEN, BEFORE, AFTER = "2026-11-25T12:00:00Z", "2026-11-25T11:59:59Z", "2026-11-25T12:00:00Z"
MODES = [{"type": "AllNamespaces", "supported": True}, {"type": "OwnNamespace", "supported": False}]
GROUP = {"metadata": {"name": "g", "namespace": "ns"}, "spec": {"targetNamespaces": ["ns"]}}
NOT_FOUND = (
    "constraints not satisfiable: no operators found in package demo in the catalog referenced by subscription demo, "
    "subscription demo exists"
)


def operator(**options):
    return Operator("demo", "ns", source="local", source_namespace="olm", **options)


def stopped(message):
    return subscription(condition("ResolutionFailed", message))


def catalog(state="READY", name="local"):
    return {
        "metadata": {"name": name, "namespace": "olm"}, "spec": {"address": "127.0.0.1:1"},
        "status": {"connectionState": {"lastObservedState": state}},
    }  # fmt: skip


def subscription(*conditions, name="demo", **status):
    fields = [{"manager": "xraylab", "operation": "Apply", "time": WRITTEN}, {"manager": "olm", "time": "2027"}]
    metadata = {"name": name, "namespace": "ns", "creationTimestamp": BEFORE, "managedFields": fields}
    return {"metadata": metadata, "spec": {"name": name}, "status": {"conditions": list(conditions), **status}}


def condition(kind, message="", reason="", at=AFTER):
    entry = {"type": kind, "status": "True", "reason": reason, "message": message}
    return {**entry, "lastTransitionTime": at} if at else entry


def csv(name, phase, reason="", message="", **spec):
    return {"metadata": {"name": name, "namespace": "ns"}, "spec": spec,
            "status": {"phase": phase, "reason": reason, "message": message}}  # fmt: skip


def plan(phase, *csvs, **status):
    spec = {"approved": False, "clusterServiceVersionNames": list(csvs)}
    return {"metadata": {"name": "install-1"}, "spec": spec, "status": {"phase": phase, **status}}


def judge(own=None, wanted=None, catalogs=None, groups=(GROUP,), **place):
    wanted = wanted or operator()
    there = Place("ns", groups=list(groups), subscriptions=[own] if own else [], **place)
    found = {("olm", entry["metadata"]["name"]): entry for entry in catalogs or [catalog()]}
    return verdicts.judge(wanted, [wanted], Seen(there, found))


def test_an_operator_works_when_its_installed_csv_has_succeeded():
    assert judge(subscription(currentCSV=V1, installedCSV=V1), csvs=[csv(V1, "Succeeded")]).state == "ready"
    at_latest = subscription(currentCSV=V1, installedCSV=V1, state="AtLatestKnown")
    verdict = judge(at_latest, csvs=[csv(V1, "Installing", "InstallWaiting", "0 of 1 replicas")])
    assert verdict.state == "waiting"
    assert "CSV demo.v1.0.0 is Installing (InstallWaiting: 0 of 1 replicas)" in verdict.reason
    assert "the Subscription says AtLatestKnown all the same" in verdict.reason


@pytest.mark.parametrize(
    ("came", "new"), [("2020-01-01T00:00:00Z", False), ("2999-01-01T00:00:00Z", True), (None, False)]
)
def test_whether_a_version_came_a_moment_ago(came, new):
    own = subscription(currentCSV=V1, installedCSV=V1)
    place = Place("ns", subscriptions=[own], csvs=[{"metadata": {"name": V1}, "status": {"lastTransitionTime": came}}])
    assert verdicts.is_new(operator(), place) is new


@pytest.mark.parametrize(
    ("options", "state"),
    [
        ({"approval": "Manual"}, "ready"),
        ({"approval": "Manual", "starting_csv": V1}, "ready"),
        ({"approval": "Manual", "upgrade": True}, "waiting"),
        ({}, "waiting"),
    ],
)
def test_an_upgrade_that_waits_matters_only_to_who_wants_it(options, state):
    pending = subscription(currentCSV=V2, installedCSV=V1, state="UpgradePending", installPlanRef={"name": "install-1"})
    verdict = judge(pending, operator(**options), csvs=[csv(V1, "Succeeded")], plans=[plan("RequiresApproval", V2)])
    assert (verdict.state, verdict.approve) == (state, "install-1" if state == "waiting" else "")


def test_a_stop_in_the_namespace_does_not_matter_to_a_pinned_operator_that_works():
    stopped = subscription(condition("ResolutionFailed", NOT_FOUND), currentCSV=V1, installedCSV=V1)
    assert judge(stopped, csvs=[csv(V1, "Succeeded")]).state == "ready"


@pytest.mark.parametrize(
    ("starting", "installed", "following", "said"),
    [
        ("demo.v1.0.0", "demo.v2.0.0", "demo.v2.0.0", "OLM goes to no older version"),
        ("demo.v1.5.0", "demo.v1.0.0", "demo.v2.0.0", "from demo.v1.0.0 the channel leads to demo.v2.0.0 only"),
    ],
)
def test_versions_that_olm_has_no_way_to(starting, installed, following, said):
    own = subscription(currentCSV=following, installedCSV=installed)
    verdict = judge(own, operator(approval="Manual", starting_csv=starting), csvs=[csv(installed, "Succeeded")])
    assert verdict.state == "failed"
    assert said in verdict.reason


def test_a_foreign_upgrade_is_refused_unless_it_is_allowed():
    own = subscription(currentCSV=V1, installPlanRef={"name": "install-1"})
    other = subscription(name="other", currentCSV="other.v2.0.0")
    for wanted, state in ((operator(), "failed"), (operator(approve_others=True), "waiting")):
        place = Place("ns", True, [GROUP], [own, other], [plan("RequiresApproval", V1, "other.v2.0.0")])
        verdict = verdicts.judge(wanted, [wanted], Seen(place, {}))
        assert verdict.state == state
        assert bool(verdict.approve) is (state == "waiting")


@pytest.mark.parametrize(
    ("own", "seen", "said"),
    [
        (subscription(), {"groups": ()}, "there is none, and OLM then does nothing and says nothing"),
        (subscription(), {"groups": (GROUP, GROUP)}, "but there are 2 (g, g)"),
        (subscription(), {"catalogs": [catalog(name="b")]}, "in namespace olm, but is not there (there are: b)"),
        (subscription(), {"catalogs": [catalog("CONNECTING")]}, "its connection is CONNECTING (at 127.0.0.1:1)"),
        (stopped(NOT_FOUND), {}, "demo should be in catalog local, but OLM says"),
        (
            stopped(NOT_FOUND.replace("subscription demo", "subscription other")), {},
            "Subscription other there stops it",
        ),
        (
            stopped("a and b conflict"), {},
            "OLM finds no set of versions that fits together: a and b conflict",
        ),
        (
            stopped("failed to populate resolver cache from source dead/olm: refused"),
            {"catalogs": [catalog(), catalog("TRANSIENT_FAILURE", "dead")]},
            "OLM must reach every catalog that this namespace sees, whichever is asked for: catalog dead",
        ),
        (subscription(condition("BundleUnpackFailed", "no image")), {}, "the bundle should be unpacked, but: no image"),
        (
            subscription(installPlanRef={"name": "install-1"}), {"plans": [plan("Failed", message="bad CRD")]},
            "InstallPlan install-1 should be Complete, but is Failed: bad CRD",
        ),
        (
            subscription(currentCSV=V1), {"csvs": [csv(V1, "Failed", "InstallCheckFailed", "timeout")]},
            "CSV demo.v1.0.0 is Failed (InstallCheckFailed: timeout)",
        ),
        (
            subscription(currentCSV=V1),
            {"csvs": [csv(V1, "Failed", "UnsupportedOperatorGroup", "no", installModes=MODES)]},
            "it supports the install modes AllNamespaces, but the OperatorGroup of namespace ns stands",
        ),
        (
            subscription(currentCSV=V1),
            {"copies": [{"metadata": {"name": V1, "labels": {"olm.copiedFrom": "home"}}}]},
            "demo.v1.0.0 is installed in namespace home for all namespaces",
        ),
    ],
)  # fmt: skip
def test_what_stops_olm_is_named(own, seen, said):
    verdict = judge(own, **seen)
    assert verdict.state == "failing"
    assert said in verdict.reason


@pytest.mark.parametrize(
    ("at", "updated", "state"),
    [(AFTER, BEFORE, "failing"), (BEFORE, AFTER, "waiting"), (None, AFTER, "failing"), (None, BEFORE, "waiting")],
)
def test_a_condition_from_before_the_last_change_does_not_end_the_wait(at, updated, state):
    """Where it has no time of its own, as OLM's conditions of resolution, the status' last change stands for it."""
    verdict = judge(subscription(condition("ResolutionFailed", NOT_FOUND, at=at), lastUpdated=updated))
    assert verdict.state == state
    assert ("has not taken back" in verdict.reason) is (state == "waiting")
    assert verdict.unknown


def test_a_catalog_that_answers_again_stops_nobody():
    message = "failed to populate resolver cache from source local/olm: connection refused"
    assert judge(subscription(condition("ResolutionFailed", message))).state == "waiting"


@pytest.mark.parametrize(
    ("made", "state", "said"),
    [
        ("2026-11-25T11:00:00Z", "failing", f"kubectl -n ns delete csv {V1}"),
        (AFTER, "waiting", f"CSV {V1} is Installing"),
    ],
)
def test_a_csv_without_a_subscription_stops_olm_unless_it_was_just_made(made, state, said):
    own, planned = csv(V1, "Installing"), plan("Complete", V1)
    own["metadata"]["creationTimestamp"] = made
    planned["metadata"]["ownerReferences"] = [{"kind": "Subscription", "name": "demo"}]
    message = f"clusterserviceversion {V1} exists and is not referenced by a subscription, subscription demo exists"
    verdict = judge(stopped(message), plans=[planned], csvs=[own])
    assert verdict.state == state
    assert said in verdict.reason


def test_a_bundle_that_is_unpacked_hides_what_was_said_before_it():
    own = subscription(condition("ResolutionFailed", NOT_FOUND), condition("BundleUnpacking"))
    assert "still unpacks the bundle" in judge(own).reason


def manifest(name, source="local"):
    channels = [{"name": "stable", "currentCSV": V2, "entries": [{"name": V2}, {"name": V1}]}]
    return {"metadata": {"name": name}, "status": {"catalogSource": source, "channels": channels}}


@pytest.mark.parametrize(
    ("manifests", "said"),
    [
        (None, "serves no PackageManifests"),
        ([manifest("a"), manifest("b"), manifest("demo", "other")], "Catalog local has the packages a, b"),
        ([manifest("demo")], "Package demo has the channels stable (demo.v2.0.0, demo.v1.0.0)"),
    ],
)
def test_what_there_is_gets_listed(manifests, said):
    assert said in verdicts.available(operator(), manifests)
