# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed_access as access
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed_agents as agents
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_agents import Agent

NOW = datetime(2026, 11, 26, 10, 0, tzinfo=UTC)
LIST = "failed to list *v1.CertificateSigningRequest:"


def klusterlet(name="north", status="True", reason="BootstrapSecretError,HubKubeConfigSecretMissing", message="words"):
    told = {"type": "HubConnectionDegraded", "status": status, "reason": reason, "message": message}
    return {"spec": {"clusterName": name}, "status": {"conditions": [told]}}


def bootstrap(expires=None):
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode() if expires else "x"
    return access.kubeconfig({"server": "https://hub:6443"}, {"token": f"e30.{claims}.sig"})


def explain(agent):
    return agents.explain("north", agent, NOW)


def test_nothing_is_said_of_an_agent_in_touch():
    assert explain(Agent(klusterlet(status="False", reason="HubConnectionFunctional"), bootstrap())) == ""


def test_no_agent_at_all():
    assert "On the facility there is no Klusterlet" in explain(Agent(None))


def test_a_facility_of_another_name():
    assert "should be for north, but is for south" in explain(Agent(klusterlet("south")))


def test_an_expired_token_is_told_by_its_time():
    said = explain(Agent(klusterlet(), bootstrap(1790000000)))
    assert "expired at 2026-09-21 14:13 UTC, before the agent had joined" in said


def test_after_the_join_the_bootstrap_token_may_expire():
    joined = klusterlet(status="False", reason="HubConnectionFunctional")
    assert explain(Agent(joined, bootstrap(1790000000))) == ""


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"E1126 10:00:00 reflector.go] {LIST} Unauthorized", "the hub at https://hub:6443 refuses it"),
        (
            "E1126 dial tcp 127.0.0.1:1: connect: connection refused",
            "The facility does not reach the hub at https://hub",
        ),
        ("E1126 dial tcp: lookup hub: no such host", "The facility does not reach the hub"),
        ("E1126 x509: certificate signed by unknown authority", "does not trust the certificate of the hub"),
        ("E1126 x509: certificate has expired or is not yet valid: current time 2020", "Set both by NTP"),
        ("E1126 10:00:00 something else broke", "log on the facility ends with: E1126 10:00:00 something else broke"),
    ],
)
def test_the_agents_log_tells_what_the_hub_does_not(line, said):
    told = explain(Agent({"spec": {"clusterName": "north"}}, bootstrap(), ["I1126 starting", line, "I1126 waiting"]))
    assert said in told
    assert line in told


def test_the_klusterlet_tells_when_there_is_no_log():
    told = explain(Agent(klusterlet(message="Failed to check: Unauthorized"), bootstrap()))
    assert "refuses it" in told
    told = explain(Agent(klusterlet(message="no secret of that name"), bootstrap()))
    assert "Klusterlet says BootstrapSecretError,HubKubeConfigSecretMissing: no secret of that name" in told


def test_pods_that_do_not_run_are_told():
    said = explain(Agent({"spec": {"clusterName": "north"}}, None, [], ["Pod x should run, but is ImagePullBackOff"]))
    assert said == "Pod x should run, but is ImagePullBackOff"


def test_of_a_long_line_beginning_and_end_are_told():
    told = agents.short(f"Get {'x' * 999}: connection refused")
    assert len(told) < 410
    assert told.startswith("Get x")
    assert told.endswith(": connection refused")
