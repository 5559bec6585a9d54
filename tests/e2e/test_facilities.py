# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's hub as an inventory, and the registration of its facility, which is the hub's own cluster."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import LAB_HOME, kubectl

pytestmark = pytest.mark.lab
ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / "inventories" / "lab"
PLUGIN = "xraylab.medical_diagnosis.managed_facilities"


def command(name: str, *arguments: str) -> str:
    done = subprocess.run(
        [str(Path(sys.executable).with_name(name)), *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def test_the_facility_is_the_hubs_own_cluster_and_keeps_what_it_is_given(facility):
    given = json.dumps({"managed_facility_labels": {"e2e": "yes"}})
    play = ["ansible-playbook", "playbooks/facilities.yml", "-i", str(LAB)]
    assert "changed=1" in command(*play, "-e", given)
    assert "changed=0" in command(*play, "-e", given)
    labels = json.loads(kubectl("get", "managedcluster", "local-cluster", "-o", "jsonpath={.metadata.labels}"))
    assert labels["e2e"] == "yes"
    assert "changed=1" in command(*play)
    assert "e2e" not in kubectl("get", "managedcluster", "local-cluster", "-o", "jsonpath={.metadata.labels}")


def test_the_hub_is_an_inventory(facility, tmp_path):
    file = tmp_path / "lab.managed_facilities.yml"
    options = {"plugin": PLUGIN, "kubeconfig": str(LAB_HOME / "admin.kubeconfig"), "local_cluster": True}
    file.write_text(json.dumps(options))
    found = json.loads(command("ansible-inventory", "-i", str(file), "--list"))
    for group in ("facilities", "available", "set_facilities"):
        assert found[group]["hosts"] == ["local-cluster"]
    # --list writes what the hub says as unsafe, in a notation of its own
    shown = command(
        "ansible", "local-cluster", "-i", str(file), "-m", "ansible.builtin.debug", "-a", "var=facility_kubernetes"
    )
    assert re.search(r"facility_kubernetes\W+v1\.\d", shown), shown
