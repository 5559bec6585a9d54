# SPDX-License-Identifier: GPL-3.0-or-later
"""The role operators, by ansible-playbook: a first run, a second that changes nothing, and its removal."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from control_plane import ROOT

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  module_defaults:
    group/xraylab.medical_diagnosis.cluster: {kubeconfig: "{{ kubeconfig }}"}
  tasks:
    - ansible.builtin.include_role: {name: xraylab.medical_diagnosis.operators, tasks_from: "{{ part }}"}
"""


@pytest.fixture
def play(olm, tmp_path):
    (tmp_path / "play.yml").write_text(PLAY)

    def run(part: str, operators: list[dict]) -> str:
        variables = {
            "kubeconfig": str(olm.plane.kubeconfig), "part": part, "operators_list": operators,
            "ansible_python_interpreter": sys.executable,
        }  # fmt: skip
        done = subprocess.run(
            ["ansible-playbook", "-i", "localhost,", tmp_path / "play.yml", "-e", json.dumps(variables)],
            cwd=ROOT, capture_output=True, text=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()[-2]

    return run


def test_the_role_installs_its_list_and_takes_it_back(olm, play):
    operators = [olm.operator("modest", "by-role", install_mode="OwnNamespace"), olm.operator("other", "by-role-too")]
    assert "changed=1" in play("main", operators)
    for namespace, name in (("by-role", "modest"), ("by-role-too", "other")):
        assert olm.get("Subscription", namespace, name)["status"]["installedCSV"].startswith(name)
    assert "changed=0" in play("main", operators)
    assert "changed=1" in play("remove", operators)
    assert not olm.get("Subscription", "by-role")["items"]


def test_an_empty_list_touches_nothing(play):
    assert "changed=0" in play("main", [])
