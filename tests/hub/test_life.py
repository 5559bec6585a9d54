# SPDX-License-Identifier: GPL-3.0-or-later
"""A facility's life: registered, no change, other labels, new credentials, lost and back, detached."""

from __future__ import annotations

import json

import pytest
from ocm import CLUSTERS, WORKS

LABELS = {"tier": "edge", "country": "no"}
ADDONS = {"applicationManager": {"enabled": True}}


@pytest.fixture(scope="module")
def north(world):
    return {
        "name": "north", "labels": LABELS, "addons": ADDONS, "import_by": "auto_secret",
        "facility": world.north.access,
    }  # fmt: skip


def test_check_mode_changes_nothing(world, north):
    result = world.run(**north, _ansible_check_mode=True, _ansible_diff=True)
    assert result["changed"]
    after = result["diff"]["after"]
    assert set(after) == {
        "ManagedCluster north", "Namespace north", "KlusterletAddonConfig north/north",
        "Secret north/auto-import-secret",
    }  # fmt: skip
    assert "plane-test" not in json.dumps(result), "a token must not be shown"
    assert world.hub.cluster("north") is None
    assert world.hub.get("v1", "Namespace", None, "north") is None


def test_a_facility_is_imported_with_the_hubs_secret(world, north):
    result = world.run(**north)
    assert result["changed"]
    facility = result["facility"]
    assert (facility["accepted"], facility["joined"], facility["available"]) == (True, True, True)
    assert LABELS.items() <= facility["labels"].items()
    assert result["seconds"] < 60, "a promise of the project, on an idle machine"
    config = world.hub.get("agent.open-cluster-management.io/v1", "KlusterletAddonConfig", "north", "north")
    assert config["spec"]["applicationManager"] == {"enabled": True}


def test_the_credentials_are_consumed(world):
    world.hub.wait_for("the secret's end", lambda: world.hub.get("v1", "Secret", "north", "auto-import-secret") is None)


def test_again_it_changes_nothing_and_asks_little(world, north):
    before = world.requests()
    result = world.run(**north)
    assert not result["changed"]
    assert result["diff"] == {"before": {}, "after": {}}
    assert world.requests() - before <= 15


def test_labels_follow_and_those_of_others_stay(world, north):
    change = {"metadata": {"labels": {"owner": "somebody"}}}
    world.hub.patch(CLUSTERS, "ManagedCluster", None, "north", change)
    result = world.run(**north | {"labels": {"tier": "core"}, "cluster_set": "clinics"})
    assert result["changed"]
    labels = world.hub.cluster("north")["metadata"]["labels"]
    assert labels["tier"] == "core"
    assert labels["owner"] == "somebody"
    assert labels["cluster.open-cluster-management.io/clusterset"] == "clinics"
    assert "country" not in labels


def test_credentials_are_rotated(world, north):
    result = world.run(**north, rotate=True)
    assert result["changed"]
    assert result["certificate_ends"] > "2026"
    world.hub.wait_for("the agent's report", lambda: world.run(**north)["facility"]["available"])


def test_a_lost_facility_is_said_and_heals(world, north):
    world.north.node.asleep.set()
    world.hub.wait_for(
        "its loss", lambda: world.hub.condition("north", "ManagedClusterConditionAvailable") == "Unknown"
    )
    said = world.refused(**north)
    assert "its agent should report to the hub, but has stopped to: ManagedClusterConditionAvailable=Unknown" in said
    world.north.node.asleep.clear()
    assert world.run(**north)["facility"]["available"]


def test_a_second_facility_by_manifests(world):
    south = {"name": "south", "import_by": "manifests", "facility": world.south.access}
    result = world.run(**south)
    assert "Secret south/south-import" in result["diff"]["after"]
    assert result["facility"]["available"]
    assert not world.run(**south)["changed"]
    assert world.hub.get("v1", "Secret", "south", "auto-import-secret") is None


def test_detached_in_check_mode_it_stays(world):
    result = world.run("south", state="absent", facility=world.south.access, _ansible_check_mode=True)
    assert {"ManagedCluster south", "Namespace south", "Klusterlet klusterlet on the facility"} <= set(
        result["removed"]
    )
    assert world.hub.condition("south", "ManagedClusterConditionAvailable") == "True"


def test_detached_nothing_is_left_on_either_side(world):
    world.hub.work("south", "delivered")
    world.hub.wait_for("the delivery", lambda: world.south.get("v1", "ConfigMap", "default", "delivered"))
    tried = world.run("south", state="absent", facility=world.south.access, _ansible_check_mode=True)
    result = world.run("south", state="absent", facility=world.south.access)
    assert set(result["removed"]) == set(tried["removed"])
    assert not result["left"]
    assert world.hub.cluster("south") is None
    assert world.hub.get("v1", "Namespace", None, "south") is None
    assert world.hub.get(WORKS, "ManifestWork", "south")["items"] == []
    assert [
        name for name in world.hub.names("certificates.k8s.io/v1", "CertificateSigningRequest") if "south" in name
    ] == []
    assert [name for name in world.hub.names("rbac.authorization.k8s.io/v1", "ClusterRole") if "south" in name] == []
    assert world.south.get("v1", "ConfigMap", "default", "delivered") is None
    assert world.south.remains() == []
    assert not world.run("south", state="absent", facility=world.south.access)["changed"]


def test_a_dead_facility_is_forgotten_by_force_only(world):
    """north has something delivered, and nobody to take it back."""
    world.hub.work("north", "delivered")
    world.hub.wait_for("the delivery", lambda: world.north.get("v1", "ConfigMap", "default", "delivered"))
    world.north.node.asleep.set()
    world.hub.wait_for(
        "its loss", lambda: world.hub.condition("north", "ManagedClusterConditionAvailable") == "Unknown"
    )
    dead = {"host": "https://127.0.0.1:1", "api_key": "none"}
    said = world.refused("north", state="absent")
    assert "its agent should take back what was delivered (ManifestWork north/delivered" in said
    assert "set force to have the hub forget it" in said
    said = world.refused("north", state="absent", force=False, facility=dead)
    assert world.hub.cluster("north")["metadata"].get("deletionTimestamp") is None
    result = world.run("north", state="absent", force=True, facility=dead)
    assert "cannot be asked" in result["left"][0]
    assert world.hub.cluster("north") is None
    assert world.hub.get("v1", "Namespace", None, "north") is None


def test_what_a_dead_facility_had_can_be_cleaned_up_later(world):
    world.north.node.asleep.clear()
    result = world.run("north", state="absent", force=True, facility=world.north.access)
    assert result["changed"]
    assert world.north.remains() == []
