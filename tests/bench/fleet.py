# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub with many facilities: what it takes to register them, whether that grows linearly, and what a run takes after.

The hub's controllers and the facilities' agents are Open Cluster Management's own; the agents share one process and one
API server. Needs no lab. The role managed_facility registers FACILITIES (100) at FORKS (10), a quarter at a time.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "planes"))
sys.path.insert(0, str(Path(__file__).parents[1] / "hub"))
from control_plane import ROOT, Plane, build
from ocm import Hub

FACILITIES, FORKS = int(os.environ.get("FACILITIES", "100")), int(os.environ.get("FORKS", "10"))
PARTS = 4
PLAY = """
- hosts: "{{ part }}"
  gather_facts: false
  module_defaults:
    group/xraylab.medical_diagnosis.cluster: {kubeconfig: "{{ hub_kubeconfig }}"}
  tasks:
    - ansible.builtin.import_role: {name: xraylab.medical_diagnosis.managed_facility}
"""


def start_fleet(hub: Hub, spoke: Plane, folder: Path) -> None:
    """The agents of all facilities, which wait to be let in."""
    bootstrap = folder / "bootstrap.kubeconfig"
    token = hub.token("agent-registration-bootstrap", "open-cluster-management", 7200)
    bootstrap.write_text(yaml.safe_dump(hub.config({"token": token})))
    spoke.apply_files(*sorted((hub.products["ocm"] / "spoke").glob("*.yaml")))
    spoke.start(
        "fleet", hub.products["ocm"] / "bin" / "ocm", "test", "fleet", "--kubeconfig", spoke.kubeconfig,
        "--bootstrap-kubeconfig", bootstrap, "--dir", folder / "agents", "--count", FACILITIES,
    )  # fmt: skip
    requests = ("certificates.k8s.io/v1", "CertificateSigningRequest")
    hub.wait_for("a request of each agent", lambda: len(hub.names(*requests)) >= FACILITIES)


def inventory(hub: Hub, folder: Path) -> list[str]:
    """Names of the quarters, which are groups of hosts."""
    names = [f"facility-{number:03d}" for number in range(1, FACILITIES + 1)]
    size = -(-FACILITIES // PARTS)
    parts = {
        f"part{at // size + 1}": {"hosts": dict.fromkeys(names[at : at + size])} for at in range(0, FACILITIES, size)
    }
    variables = {
        "ansible_connection": "local", "ansible_python_interpreter": sys.executable, "managed_facility_hub": "hub",
        "hub_kubeconfig": str(hub.kubeconfig), "managed_facility_import_by": "none",
        "managed_facility_labels": {"tier": "edge"},
    }  # fmt: skip
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"vars": variables, "children": parts}}))
    (folder / "play.yml").write_text(PLAY)
    return list(parts)


def play(folder: Path, part: str) -> tuple[float, str]:
    started = time.monotonic()
    done = subprocess.run(
        ["ansible-playbook", "-f", str(FORKS), "-i", folder / "hosts.yml", folder / "play.yml", "-e", f"part={part}"],
        cwd=ROOT, capture_output=True, text=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return time.monotonic() - started, done.stdout


def measure(hub: Hub, spoke: Plane, folder: Path) -> None:
    start_fleet(hub, spoke, folder)
    parts = inventory(hub, folder)
    size = FACILITIES / len(parts)
    taken = []
    for part in parts:
        seconds, _ = play(folder, part)
        taken.append(seconds)
        print(f"{part}: {size:.0f} facilities available after {seconds:.1f} s, {seconds / size:.2f} s each")
    ratio = taken[-1] / taken[0]
    print(
        f"all: {sum(taken) / FACILITIES:.2f} s each at {FORKS} forks, last quarter to first: {ratio:.2f} (1 is linear)"
    )
    seconds, told = play(folder, "all")
    unchanged = told.count("changed=0")
    print(f"again, without a change: {seconds:.1f} s for {unchanged} of {FACILITIES} facilities")
    servers = {name: hub.memory(name) for name in ("apiserver", "etcd", "registration", "work", "placement", "webhook")}
    told = ", ".join(f"{name} {size}" for name, size in servers.items())
    print(f"the hub's memory: {sum(servers.values())} MiB ({told}); all agents in one process: {spoke.memory('fleet')}")


def main() -> None:
    products = build("kube", "ocm")
    folder = Path(tempfile.mkdtemp(prefix="xraylab-fleet-"))
    hub, spoke = Hub(folder / "hub", products), Plane(folder / "spoke", products)
    try:
        for plane in (hub, spoke):
            plane.up()
        hub.install(importer=False)
        measure(hub, spoke, folder)
    finally:
        for plane in (spoke, hub):
            plane.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
