# SPDX-License-Identifier: GPL-3.0-or-later
"""One branch of a repository, with git itself."""

from __future__ import annotations

import base64
import subprocess

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _git
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._git import (
    GitError,
    PushedMeanwhile,
    Repository,
)

WHO = ("tester", "tester@example.com")


@pytest.fixture
def clone(tmp_path):
    """Clones an empty repository's branch, as often as it is called."""
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(tmp_path / "origin")], check=True)
    count = iter(range(10))

    def make(branch="main"):
        folder = tmp_path / f"work-{next(count)}"
        folder.mkdir()
        repository = Repository(str(tmp_path / "origin"), branch, str(folder), {})
        repository.clone()
        return repository

    return make


def test_the_first_commit_makes_the_branch(clone):
    first = clone("sites")
    assert (first.files("north"), first.head()) == ({}, "")
    first.write("north", {"a.yaml": "1", "ns/b.yaml": "2"})
    commit = first.commit("First", *WHO)
    again = clone("sites")
    assert (again.files("north"), again.head()) == ({"a.yaml": "1", "ns/b.yaml": "2"}, commit)
    assert clone().files("north") == {}


def test_a_file_is_removed(clone):
    one = clone()
    one.write("north", {"a": "1", "b": "2"})
    one.commit("First", *WHO)
    one.write("north", {"a": None})
    one.commit("Second", *WHO)
    assert clone().files("north") == {"b": "2"}


def test_a_commit_that_came_first_is_told_apart_and_taken_up(clone):
    one, other = clone(), clone()
    one.write("north", {"a": "1"})
    first = one.commit("First", *WHO)
    other.write("south", {"a": "1"})
    with pytest.raises(PushedMeanwhile):
        other.commit("Second", *WHO)
    other.refresh()
    assert other.files("south") == {}
    other.write("south", {"a": "1"})
    second = other.commit("Second", *WHO)
    assert other.files("north") == {"a": "1"}
    assert one.contains(first, second)
    assert one.contains(first, first)
    assert not one.contains(second, first)


def test_a_repository_that_is_not_there_is_named(tmp_path):
    with pytest.raises(GitError, match=r"clone .*/nowhere: git said: .*does not exist"):
        Repository(str(tmp_path / "nowhere"), "main", str(tmp_path), {}).clone()


def test_a_password_is_no_argument():
    found = _git.settings({"username": "site", "password": "secret", "ca_file": "/ca.crt"})
    assert found["GIT_CONFIG_COUNT"] == "2"
    assert base64.b64decode(found["GIT_CONFIG_VALUE_0"].split()[-1]) == b"site:secret"
    assert _git.settings({"username": "", "password": "", "ca_file": ""}) == {}


@pytest.mark.parametrize(
    ("said", "cure"),
    [
        ("fatal: Authentication failed for 'https://h/r'", "Check user and password"),
        ("fatal: repository 'https://h/r/' not found", "Create the repository"),
        ("fatal: unable to access: Could not resolve host: h", "can be reached from the control node"),
    ],
)
def test_what_git_says_comes_with_a_cure(said, cure):
    assert cure in str(_git.failure("push", "https://h/r", said))
