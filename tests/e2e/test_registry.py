# SPDX-License-Identifier: GPL-3.0-or-later
"""From an OCI archive to a pod, as on a site without a way out: the function's image in the hub's registry.

Skopeo and OpenSSL look at what the role has made: neither is used by it.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import FUNCTION, LAB_HOME, NAMESPACE, kubectl
from test_playbooks import changes, play

pytestmark = pytest.mark.lab
HOST = "10.250.0.1:30500"
NAME = f"{HOST}/xraylab/risk-assessment"
POD = "registry-e2e"


def run(*command: str | Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(list(map(str, command)), capture_output=True, timeout=120)


@dataclass
class Loaded:
    """The image in the registry, the key it is signed with, and a login for skopeo."""

    folder: Path
    digest: str
    again: subprocess.CompletedProcess[str]

    def skopeo(self, action: str, *arguments: str, login: bool = True) -> subprocess.CompletedProcess[bytes]:
        side = (
            "dest-" if arguments[-1].startswith("docker:") and action == "copy" else "src-" if action == "copy" else ""
        )
        auth = [f"--{side}authfile={self.folder}/auth.json"] if login else [f"--{side}no-creds"]
        return run("skopeo", action, *auth, f"--{side}cert-dir={self.folder}/trusted", *arguments)

    def artifact(self, kind: str) -> tuple[dict, bytes]:
        """Manifest and content of what lies beside the image."""
        out = self.folder / kind
        tag = self.digest.replace(":", "-")
        done = self.skopeo("copy", f"docker://{NAME}:{tag}.{kind}", f"dir:{out}")
        assert done.returncode == 0, done.stderr
        manifest = json.loads((out / "manifest.json").read_text())
        return manifest, (out / manifest["layers"][0]["digest"].removeprefix("sha256:")).read_bytes()


@pytest.fixture(scope="module")
def loaded(facility, tmp_path_factory) -> Loaded:
    """What a disconnected site does: an archive from elsewhere, one variable, the playbook; and that again."""
    folder = tmp_path_factory.mktemp("registry")
    service = facility.custom.get_namespaced_custom_object("serving.knative.dev", "v1", NAMESPACE, "services", FUNCTION)
    source = "docker://" + service["spec"]["template"]["spec"]["containers"][0]["image"]
    run("skopeo", "copy", "--src-tls-verify=false", source, f"oci-archive:{folder}/function.tar").check_returncode()
    raw = run("skopeo", "inspect", "--raw", f"oci-archive:{folder}/function.tar").stdout
    wanted = {"registry_images": [{"name": "risk-assessment", "archive": f"{folder}/function.tar"}]}
    wanted["registry_signing_key"] = f"{folder}/keys/cosign.key"
    arguments = ("playbooks/hub.yml", "--tags", "registry", "-e", json.dumps(wanted))
    first = play(*arguments)
    assert first.returncode == 0, first.stdout[-4000:]
    (folder / "trusted").mkdir()
    (folder / "trusted" / "ca.crt").write_text((LAB_HOME / "ca.crt").read_text())
    (folder / "auth.json").write_text(facility.secret("hub-registry")[".dockerconfigjson"])
    return Loaded(folder, f"sha256:{hashlib.sha256(raw).hexdigest()}", play(*arguments))


def test_the_image_keeps_its_digest_and_is_loaded_once(loaded):
    found = loaded.skopeo("inspect", "--raw", f"docker://{NAME}@{loaded.digest}")
    assert f"sha256:{hashlib.sha256(found.stdout).hexdigest()}" == loaded.digest, found.stderr
    assert loaded.again.returncode == 0
    assert changes(loaded.again) == ["0"]


def test_openssl_verifies_the_signature(loaded):
    manifest, payload = loaded.artifact("sig")
    assert json.loads(payload)["critical"]["image"] == {"docker-manifest-digest": loaded.digest}
    (loaded.folder / "payload").write_bytes(payload)
    # A registry that other runs have loaded the image into has signatures of their keys as well, as cosign keeps them.
    signatures = [layer["annotations"]["dev.cosignproject.cosign/signature"] for layer in manifest["layers"]]

    def verified(signature: str) -> bool:
        (loaded.folder / "signature").write_bytes(base64.b64decode(signature))
        key, files = loaded.folder / "keys" / "cosign.pub", (loaded.folder / "signature", loaded.folder / "payload")
        return run("openssl", "dgst", "-sha256", "-verify", key, "-signature", *files).returncode == 0

    assert list(map(verified, signatures)).count(True) == 1
    (loaded.folder / "payload").write_bytes(payload.replace(b"sha256:", b"sha256;"))
    assert not any(map(verified, signatures))


def test_the_bill_of_materials_lists_what_the_function_runs_on(loaded):
    manifest, text = loaded.artifact("sbom")
    told = json.loads(text)
    assert manifest["layers"][0]["mediaType"] == "application/vnd.cyclonedx+json"
    assert told["bomFormat"] == "CycloneDX"
    assert told["metadata"]["component"]["version"] == loaded.digest
    packages = {entry["purl"].partition("@")[0] for entry in told["components"]}
    assert {
        "pkg:pypi/onnxruntime",
        "pkg:pypi/pydicom",
        "pkg:pypi/starlette",
        "pkg:deb/debian/python3.11-minimal",
    } <= packages


def test_the_facilities_robot_pulls_and_cannot_push(loaded):
    pushed = loaded.skopeo("copy", f"oci-archive:{loaded.folder}/function.tar", f"docker://{NAME}:pushed")
    assert pushed.returncode != 0
    assert b"unauthorized" in pushed.stderr or b"denied" in pushed.stderr or b"authentication required" in pushed.stderr


def test_nobody_pulls_without_a_login(loaded):
    found = loaded.skopeo("inspect", "--raw", f"docker://{NAME}@{loaded.digest}", login=False)
    assert found.returncode != 0
    assert b"unauthorized" in found.stderr or b"authentication required" in found.stderr


def pod(digest: str, **more) -> dict:
    security = {"allowPrivilegeEscalation": False, "runAsNonRoot": True, "runAsUser": 65532}
    container = {
        "name": "look", "image": f"{NAME}@{digest}", "imagePullPolicy": "Always", "securityContext": security,
        "command": ["python3", "-c", "import onnxruntime; print(onnxruntime.__version__)"],
    }  # fmt: skip
    return {"metadata": {"name": POD}, "spec": {"containers": [container], "restartPolicy": "Never", **more}}


@pytest.fixture
def place(facility) -> Iterator[None]:
    yield
    kubectl("delete", "pod", POD, "--ignore-not-found", "--grace-period=1", "--wait")


def test_a_pod_of_the_facility_pulls_it_by_digest(facility, loaded, place):
    facility.core.create_namespaced_pod(NAMESPACE, pod(loaded.digest, imagePullSecrets=[{"name": "hub-registry"}]))
    facility.wait_for(
        "the pod to end well", lambda: facility.core.read_namespaced_pod(POD, NAMESPACE).status.phase == "Succeeded", 60
    )
    status = facility.core.read_namespaced_pod(POD, NAMESPACE).status.container_statuses[0]
    assert status.image_id == f"{NAME}@{loaded.digest}"
    assert kubectl("logs", POD).strip()[0].isdigit()


def test_a_pod_without_the_pull_secret_does_not_get_it(facility, loaded, place):
    facility.core.create_namespaced_pod(NAMESPACE, pod(loaded.digest))

    def refused() -> str:
        states = facility.core.read_namespaced_pod(POD, NAMESPACE).status.container_statuses or []
        waiting = [state.state.waiting for state in states if state.state.waiting]
        return next((w.message for w in waiting if w.reason in ("ErrImagePull", "ImagePullBackOff") and w.message), "")

    said = facility.wait_for("the pull to be refused", refused, 60)
    assert "401" in said or "unauthorized" in said or "authorization failed" in said
