# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.plugin_utils import _managed_inventory as managed

ANSWERS = json.loads((Path(__file__).parent / "fixtures" / "hub.json").read_text())
CLUSTERS, DECISIONS = ANSWERS["clusters"], ANSWERS["decisions"]


@pytest.fixture
def facilities():
    return {entry["metadata"]["name"]: entry for entry in managed.trimmed(CLUSTERS, DECISIONS)}


def test_what_a_cache_keeps_is_the_part_that_is_used(facilities):
    assert json.loads(json.dumps(facilities)) == facilities
    assert "managedFields" not in json.dumps(facilities)


def test_variables_of_a_facility_that_is_in_touch(facilities):
    told = managed.variables(facilities["north"])
    assert told["facility_state"] == "available"
    assert told["facility_labels"]["tier"] == "edge"
    assert told["facility_set"] == "clinics"
    assert told["facility_kubernetes"].startswith("v1.")
    assert told["facility_conditions"]["ManagedClusterJoined"] == "True"
    assert told["facility_placements"] == ["fleet/edge"]


def test_a_facility_that_was_not_accepted_has_no_status(facilities):
    told = managed.variables(facilities["stranger"])
    assert told["facility_state"] == "denied"
    assert told["facility_conditions"] == {}


@pytest.mark.parametrize(
    ("accepts", "conditions", "state"),
    [
        (False, {managed.ACCEPTED: "True", managed.JOINED: "True", managed.AVAILABLE: "True"}, "denied"),
        (True, {}, "joining"),
        (True, {managed.ACCEPTED: "True"}, "joining"),
        (True, {managed.ACCEPTED: "False", managed.JOINED: "True", managed.AVAILABLE: "True"}, "joining"),
        (True, {managed.ACCEPTED: "True", managed.JOINED: "True", managed.AVAILABLE: "Unknown"}, "lost"),
        (True, {managed.ACCEPTED: "True", managed.JOINED: "True", managed.AVAILABLE: "True"}, "available"),
    ],
)
def test_the_state(accepts, conditions, state):
    told = [{"type": kind, "status": value} for kind, value in conditions.items()]
    assert managed.state({"spec": {"hubAcceptsClient": accepts}, "status": {"conditions": told}}) == state


def test_groups(facilities):
    found = list(managed.groups(facilities["north"], ["tier", "example.com/country", "missing"]))
    assert found == ["available", "set_clinics", "tier_edge", "country_no", "placement_edge"]


def test_a_way_through_the_hub_holds_no_common_word():
    config = managed.proxied("north", "https://proxy/", "/ca.crt", "TOKEN")
    assert config["clusters"][0]["cluster"]["server"] == "https://proxy/north"
    assert config["users"][0]["user"]["token"] == "TOKEN"
    texts = {part for line in json.dumps(config).split('"')[1::2] for part in [line]}
    assert not texts & {"v1", "Config", "north", "facility"}


def test_a_token_is_read_when_it_is_used():
    text = managed.token_template("north", "xraylab", {"kubeconfig": "~/.kube/hub", "context": None})
    assert text == (
        "{{ (query('kubernetes.core.k8s', kind='Secret', namespace='north', resource_name='xraylab', "
        "kubeconfig='~/.kube/hub') | first).data.token | b64decode }}"
    )
