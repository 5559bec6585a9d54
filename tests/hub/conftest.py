# SPDX-License-Identifier: GPL-3.0-or-later
"""A real hub and real facilities as processes on this machine, and the module managed_facility run on them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "planes"))
sys.path.insert(0, str(Path(__file__).parent))
from control_plane import PATIENCE, ROOT, Plane, build
from node import Node
from ocm import KLUSTERLETS, Hub

MODULE = "ansible_collections.xraylab.medical_diagnosis.plugins.modules.managed_facility"
COLLECTIONS = ROOT / ".config" / "collections"
PATIENT = {"timeout": PATIENCE, "error_grace": PATIENCE, "lease_seconds": 2}
IMPATIENT = {"error_grace": 10}


class Facility(Plane):
    """A facility's cluster, with one node that runs the hub's agent."""

    node: Node | None = None

    def up(self) -> None:
        super().up()
        self.node = Node(self)
        self.node.start()

    def stop(self) -> None:
        if self.node:
            self.node.stop()
        super().stop()

    @property
    def access(self) -> dict[str, Any]:
        return {"kubeconfig": str(self.kubeconfig)}

    def remains(self) -> list[str]:
        """What is there of the hub's agent."""
        kinds = [("v1", "Namespace"), ("rbac.authorization.k8s.io/v1", "ClusterRole")]
        kinds += [("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"), (KLUSTERLETS, "Klusterlet")]
        kinds.append(("apiextensions.k8s.io/v1", "CustomResourceDefinition"))
        names = [name for kind in kinds for name in self.names(*kind)]
        return [name for name in names if "klusterlet" in name or "open-cluster-management" in name]


class World:
    """A hub with its facilities, and what a test needs of the module."""

    impatient = IMPATIENT

    def __init__(self, folder: Path, products: dict[str, Path]) -> None:
        self.hub = Hub(folder / "hub", products)
        self.north, self.south = (Facility(folder / name, products) for name in ("north", "south"))
        self.planes = (self.hub, self.north, self.south)

    def call(self, name: str, **options: Any) -> dict[str, Any]:
        """The module at work, as Ansible runs it: arguments in, JSON out."""
        arguments = {"kubeconfig": str(self.hub.kubeconfig), "name": name, **PATIENT, **options}
        done = subprocess.run(
            [sys.executable, "-m", MODULE], input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}), text=True,
            capture_output=True, env={**os.environ, "PYTHONPATH": str(COLLECTIONS)}, timeout=PATIENCE + 100,
        )  # fmt: skip
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def requests(self) -> int:
        """How many requests of Python's client the hub's API server has answered."""
        return (self.hub.folder / "audit.log").read_text().count('"userAgent":"OpenAPI-Generator')

    def run(self, name: str, **options: Any) -> dict[str, Any]:
        """A call that must succeed."""
        result = self.call(name, **options)
        assert not result.get("failed"), result.get("msg")
        return result

    def refused(self, name: str, **options: Any) -> str:
        """What a call says that must fail."""
        result = self.call(name, **{**IMPATIENT, **options})
        assert result.get("failed"), result
        return result["msg"]


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    signal.signal(signal.SIGTERM, interrupt)  # its processes must end with the tests, too
    products = build("kube", "ocm")
    folder = Path(tempfile.mkdtemp(prefix="xraylab-hub-"))
    world = World(folder, products)
    try:
        for plane in world.planes:
            plane.up()
        world.hub.install()
        yield world
    finally:
        for plane in reversed(world.planes):
            plane.stop()
        if not os.environ.get("HUB_TEST_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
