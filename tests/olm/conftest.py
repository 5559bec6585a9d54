# SPDX-License-Identifier: GPL-3.0-or-later
"""The real OLM on a control plane of its own, and the module olm_operator run against it. Needs no lab."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "planes"))
sys.path.insert(0, str(Path(__file__).parent))
import catalog
import kubelet
from control_plane import PATIENCE, ROOT, build
from kubernetes import client
from plane import OlmPlane

MODULE = "ansible_collections.xraylab.medical_diagnosis.plugins.modules.olm_operator"
PATIENT = {"timeout": PATIENCE, "error_grace": PATIENCE, "interval": 1}
IMPATIENT = {"error_grace": 15}


class Call:
    """The module at work, as Ansible runs it: arguments in, JSON out."""

    def __init__(self, plane: OlmPlane, **options: Any) -> None:
        arguments = {"kubeconfig": str(plane.kubeconfig), **PATIENT, **options}
        environment = {**os.environ, "PYTHONPATH": str(ROOT / ".config" / "collections")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", MODULE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env=environment,
        )  # fmt: skip
        self.process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": arguments}))
        self.process.stdin.close()
        self.process.stdin = None

    def result(self) -> dict[str, Any]:
        said, errors = self.process.communicate(timeout=PATIENCE + 100)
        assert said, errors
        return json.loads(said)


def operator(package: str, namespace: str, **options: Any) -> dict[str, Any]:
    return {"package": package, "namespace": namespace, "source": "local", "source_namespace": "olm", **options}


class Olm:
    """What a test needs of the cluster and of the module."""

    operator = staticmethod(operator)
    impatient = IMPATIENT

    def __init__(self, plane: OlmPlane) -> None:
        self.plane = plane

    def start(self, *operators: dict[str, Any], **options: Any) -> Call:
        return Call(self.plane, operators=list(operators), **options)

    def run(self, *operators: dict[str, Any], **options: Any) -> dict[str, Any]:
        """A call that must succeed."""
        result = self.start(*operators, **options).result()
        assert not result.get("failed"), result["msg"]
        return result

    def refused(self, *operators: dict[str, Any], **options: Any) -> str:
        """What a call says that must fail."""
        result = self.start(*operators, **{**IMPATIENT, **options}).result()
        assert result.get("failed"), result
        return result["msg"]

    def get(self, kind: str, namespace: str | None = None, name: str | None = None) -> Any:
        versions = {"OperatorGroup": "v1"}
        return self.plane.get(f"operators.coreos.com/{versions.get(kind, 'v1alpha1')}", kind, namespace, name)

    def namespace(self, name: str) -> str:
        self.plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def group(self, namespace: str, name: str, *targets: str) -> None:
        self.plane.apply({
            "apiVersion": "operators.coreos.com/v1", "kind": "OperatorGroup",
            "metadata": {"name": name, "namespace": namespace}, "spec": {"targetNamespaces": list(targets)},
        })  # fmt: skip


def interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session")
def olm() -> Iterator[Olm]:
    signal.signal(signal.SIGTERM, interrupt)  # its processes must end with the tests, too
    products = build("kube", "olm")
    folder = Path(tempfile.mkdtemp(prefix="xraylab-olm-"))
    plane, end = OlmPlane(folder, products), threading.Event()
    try:
        plane.up()
        core = client.CoreV1Api(plane.api())
        kubelet.register(core, kubelet.serve_logs(folder / "apiserver.crt", folder / "apiserver.key"))
        threading.Thread(target=kubelet.play, args=[core, end], daemon=True).start()
        catalog.write(folder / "packages-of-catalog")
        plane.install_olm(folder / "packages-of-catalog")
        yield Olm(plane)
    finally:
        end.set()
        plane.stop()
        shutil.rmtree(folder, ignore_errors=True)
