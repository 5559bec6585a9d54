# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of the facility by Git: delivered by the real Argo CD, healed, given back; a broken source is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import LAB_HOME, NAMESPACE, kubectl, wait_for
from test_playbooks import LAB, ROOT, changes, play, words

pytestmark = pytest.mark.lab
PART = ("--tags", "gallery")
BY_GIT = ("-e", "xraylab_delivery=gitops", *PART)
APPLICATIONS = ("argoproj.io", "v1alpha1", "openshift-gitops", "applications")


def git(*arguments: str) -> str:
    command = ["git", "-C", str(LAB_HOME / "git" / "facilities.git"), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def delivered(facility) -> Iterator[str]:
    """What the playbook says of the first delivery of the gallery by Git."""
    try:
        done = play("playbooks/pipeline.yml", *BY_GIT)
        assert done.returncode == 0, done.stdout[-4000:]
        yield done.stdout
    finally:
        back = play("playbooks/pipeline.yml", *PART)
    assert back.returncode == 0, back.stdout[-3000:]
    assert "not found" in kubectl("get", "applications.argoproj.io", "xraylab-lab", "-n", "openshift-gitops")


def test_the_roles_objects_lie_in_git_without_secrets_and_argo_cd_has_them(delivered, facility):
    found = facility.custom.get_namespaced_custom_object(*APPLICATIONS, "xraylab-lab")["status"]
    assert (found["sync"]["status"], found["health"]["status"]) == ("Synced", "Healthy")
    assert found["sync"]["revision"] == git("rev-parse", "main").strip()
    files = git("ls-tree", "-r", "--name-only", "main", "lab/").split()
    assert {"lab/deployment-apps-gallery.yaml", "lab/service-gallery.yaml"} <= set(files)
    assert "kind: Secret" not in "".join(git("show", f"main:{name}") for name in files)


def test_drift_is_healed_and_reported_and_nothing_is_committed_again(delivered, facility):
    before = git("rev-parse", "main")
    component = "app.kubernetes.io/component"
    facility.core.patch_namespaced_service("gallery", NAMESPACE, {"spec": {"selector": {component: "elsewhere"}}})

    def selected() -> str:
        return facility.core.read_namespaced_service("gallery", NAMESPACE).spec.selector[component]

    wait_for("Argo CD to put the Service back", lambda: selected() == "gallery", 60)
    again = play("playbooks/pipeline.yml", *BY_GIT)
    assert again.returncode == 0, again.stdout[-4000:]
    assert changes(again) == ["0"], again.stdout
    assert "Argo CD put back what somebody had changed at facility lab: Service gallery" in words(again)
    assert git("rev-parse", "main") == before


def test_a_folder_that_is_not_there_is_no_success_though_argo_cd_says_healthy(delivered, facility):
    good = facility.custom.get_namespaced_custom_object(*APPLICATIONS, "xraylab-lab")
    bad = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "e2e-nowhere"}}
    bad["spec"] = {**good["spec"], "source": {**good["spec"]["source"], "path": "nowhere"}}
    facility.custom.create_namespaced_custom_object(*APPLICATIONS, bad)
    user = json.loads((LAB_HOME / "git.json").read_text())
    options = {
        "kubeconfig": str(LAB_HOME / "admin.kubeconfig"), "repository": good["spec"]["source"]["repoURL"],
        "repository_username": user["username"], "repository_password": user["password"], "folder": "lab",
        "application": "e2e-nowhere", "wait": "always", "error_grace": 2, "timeout": 40,
    }  # fmt: skip
    try:
        command = [str(Path(sys.executable).with_name("ansible")), "lab", "-i", str(LAB), "-m"]
        command += ["xraylab.medical_diagnosis.gitops_files", "-a", json.dumps(options)]
        done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=90)
        seen = facility.custom.get_namespaced_custom_object(*APPLICATIONS, "e2e-nowhere")["status"]
    finally:
        facility.custom.delete_namespaced_custom_object(*APPLICATIONS, "e2e-nowhere")
    said = " ".join(done.stdout.split())
    assert done.returncode != 0
    assert seen["health"]["status"] == "Healthy"
    assert "Expected Application openshift-gitops/e2e-nowhere to be Synced at commit" in said
    assert "nowhere: app path does not exist. The branch has no such folder" in said
    assert user["password"] not in said
