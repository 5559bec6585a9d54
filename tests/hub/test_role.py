# SPDX-License-Identifier: GPL-3.0-or-later
"""playbooks/facilities.yml and the role managed_facility: a place with a hub and two facilities."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import pytest
import yaml
from control_plane import ROOT
from ocm import CLUSTERS


@pytest.fixture
def place(world, tmp_path):
    """Runs a playbook on the place; the recap's words by host."""
    world.hub.apply({
        "apiVersion": "cluster.open-cluster-management.io/v1beta2", "kind": "ManagedClusterSet",
        "metadata": {"name": "facilities"},
    })  # fmt: skip
    facilities = {
        "north.example.com": {
            "xraylab_kubeconfig": str(world.north.kubeconfig), "managed_facility_labels": {"tier": "edge"},
        },
        "south.example.com": {"xraylab_kubeconfig": str(world.south.kubeconfig)},
    }  # fmt: skip
    inventory = {
        "all": {"vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}},
        "hub": {"hosts": {"centre": {"xraylab_kubeconfig": str(world.hub.kubeconfig)}}},
        "facilities": {"hosts": facilities},
    }
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def play(playbook, *more: str) -> dict[str, str]:
        done = subprocess.run(
            ["ansible-playbook", "-i", tmp_path / "hosts.yml", playbook, *more], cwd=ROOT, capture_output=True,
            text=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        return dict(re.findall(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", done.stdout, re.M))

    return play


def test_a_place_is_registered_and_detached(world, place, tmp_path):
    playbook = ROOT / "playbooks" / "facilities.yml"
    changed = {"north.example.com": "1", "south.example.com": "1"}
    unchanged = dict.fromkeys(changed, "0")
    assert place(playbook, "--check", "--diff") == changed
    assert not {"north", "south"} & set(world.hub.names(CLUSTERS, "ManagedCluster"))
    assert place(playbook) == changed
    labels = world.hub.cluster("north")["metadata"]["labels"]
    assert (labels["tier"], labels["cluster.open-cluster-management.io/clusterset"]) == ("edge", "facilities")
    assert place(playbook) == unchanged
    remove = tmp_path / "remove.yml"
    role = "name: xraylab.medical_diagnosis.managed_facility\n"
    remove.write_text(playbook.read_text().replace(role, f"{role}        tasks_from: remove\n"))
    assert place(remove, "--check") == changed
    assert place(remove) == changed
    assert place(remove) == unchanged
    assert world.north.remains() == world.south.remains() == []


def test_the_hubs_own_cluster_gets_labels_only(world, place, tmp_path):
    """As in the lab, where one host is hub and facility."""
    world.hub.apply({
        "apiVersion": CLUSTERS, "kind": "ManagedCluster", "metadata": {"name": "local-cluster"},
        "spec": {"hubAcceptsClient": False},
    })  # fmt: skip
    variables = {
        "managed_facility_hub": "north.example.com", "managed_facility_labels": {"tier": "hub"},
        "managed_facility_timeout": 1,
    }  # fmt: skip
    playbook = ROOT / "playbooks" / "facilities.yml"
    place(playbook, "--check", "--limit", "north.example.com", "-e", json.dumps(variables))
    result = world.call("local-cluster", labels={"tier": "hub"}, timeout=2, error_grace=1)
    assert "spec.hubAcceptsClient of its ManagedCluster is false" in result["msg"]
    assert world.hub.cluster("local-cluster")["metadata"]["labels"]["tier"] == "hub"
    assert world.run("local-cluster", state="absent")["changed"]
    assert not world.hub.cluster("local-cluster")["metadata"].get("labels")
    assert not world.run("local-cluster", state="absent")["changed"]
    world.hub.delete(CLUSTERS, "ManagedCluster", None, "local-cluster")
