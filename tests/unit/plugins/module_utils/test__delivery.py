# SPDX-License-Identifier: GPL-3.0-or-later
"""When an Application has a commit; the failures are those that Argo CD 2.14 was seen to report."""

from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _delivery as delivery

OLD, NEW = "0" * 40, "1" * 40


def application(sync="Synced", health="Healthy", revision=NEW, phase="Succeeded", conditions=(), **status):
    operation = {"operationState": {"phase": phase, "message": "m"}} if phase else {}
    told = {"sync": {"status": sync, "revision": revision}, "health": {"status": health}, **operation, **status}
    return {"metadata": {"name": "a"}, "status": {**told, "conditions": list(conditions)}}


def judge(app, healthy=True):
    return delivery.judge(app, lambda revision: revision == NEW, healthy)


def test_a_file_is_written_only_where_it_differs():
    now = {"a": "1", "b": "2", "c": "3"}
    assert delivery.changes(now, {"a": "1", "b": "3"}, ["c", "d"], purge=False) == {"b": "3", "c": None}
    assert delivery.changes(now, {"a": "1"}, [], purge=True) == {"b": None, "c": None}
    assert delivery.changes(now, now, [], purge=True) == {}


def test_the_diff_has_the_files_as_they_were_and_as_they_are():
    found = delivery.diff({"b": "2"}, {"b": None, "a": "1"}, "north")
    assert [(d["after_header"], d["before"], d["after"]) for d in found] == [("north/a", "", "1"), ("north/b", "2", "")]


@pytest.mark.parametrize("phase", ["Succeeded", ""])
def test_ready_is_synced_and_healthy_at_the_commit(phase):
    assert judge(application(phase=phase)).state == "ready"


@pytest.mark.parametrize(
    ("app", "words"),
    [
        (None, "does not exist"),
        (application(revision=OLD), "is at revision 000"),
        (application(sync="OutOfSync", health="Missing", phase="Running"), "is OutOfSync, operation Running: m"),
        (application(phase="Running"), "operation Running"),
        (
            application(
                health="Progressing",
                resources=[
                    {"kind": "Deployment", "name": "d", "health": {"status": "Progressing"}},
                    {"kind": "ConfigMap", "name": "c"},
                ],
            ),
            "Synced, but Progressing: Deployment d is Progressing",
        ),
        ({**application(), "metadata": {"annotations": {delivery.REFRESH: "normal"}}}, "not looked at"),
    ],
)
def test_waiting(app, words):
    verdict = judge(app)
    assert verdict.state == "waiting"
    assert words in verdict.reason


def test_health_may_come_later():
    assert judge(application(health="Progressing"), healthy=False).state == "ready"


@pytest.mark.parametrize(
    ("kind", "message", "cure"),
    [
        ("ComparisonError", "nope: app path does not exist", "check gitops_branch and the facility's name"),
        ("ComparisonError", "unable to resolve 'v9' to a commit SHA", "check gitops_branch"),
        ("ComparisonError", "failed to list refs: repository not found", "check gitops_repository"),
        ("ComparisonError", "failed to list refs: authentication required", "check gitops_username"),
        ("InvalidSpecError", "there are no clusters with this name: nowhere", "run playbooks/site.yml"),
        ("InvalidSpecError", "Application referencing project x which does not exist", "run playbooks/hub.yml"),
    ],
)
def test_a_broken_source_is_no_success_though_argo_cd_calls_it_healthy(kind, message, cure):
    verdict = judge(application(sync="Unknown", health="Healthy", conditions=[{"type": kind, "message": message}]))
    assert verdict.state == "failing"
    assert message in verdict.reason
    assert cure.lower() in verdict.reason.lower()


def test_what_was_healed_is_told():
    app = application()
    assert delivery.healed(app) == ([], "")
    resources = [{"kind": "Service", "name": "gallery"}]
    state = app["status"]["operationState"]
    state["operation"] = {"sync": {"autoHealAttemptsCount": 1, "resources": resources}}
    state["finishedAt"] = "2026-11-26T10:00:00Z"
    assert delivery.healed(app) == (["Service gallery"], "2026-11-26T10:00:00Z")


def test_what_could_not_be_applied_is_named():
    resources = [
        {"kind": "Nope", "name": "x", "status": "SyncFailed", "message": "no such kind"},
        {"kind": "ConfigMap", "name": "y", "status": "Synced", "message": "fine"},
    ]
    failed = application(sync="OutOfSync", phase="Failed")
    failed["status"]["operationState"]["syncResult"] = {"resources": resources}
    verdict = judge(failed)
    assert verdict.state == "failing"
    assert "Nope x: no such kind" in verdict.reason
    assert "fine" not in verdict.reason
