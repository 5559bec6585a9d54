# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _diagnosis as diagnosis


def event(kind, reason, time):
    return {"metadata": {}, "type": kind, "reason": reason, "message": "m", "lastTimestamp": time}


def test_warnings_are_told_first_and_the_newest_last():
    events = [event("Warning", "B", "2"), event("Normal", "N", "9"), event("Warning", "A", "1")]
    assert diagnosis.last_events(events) == ["Warning A: m", "Warning B: m"]
    assert diagnosis.last_events(events[1:2]) == ["Normal N: m"]
    assert diagnosis.last_events(events, limit=1) == ["Warning B: m"]


def test_objects_beyond_the_first_are_only_named():
    reports = [diagnosis.Report(f"Pod n/{number}", "r", "look") for number in range(7)]
    lines = diagnosis.failure("h", reports).splitlines()
    assert lines[-1] == "Not ready either: Pod n/5, Pod n/6."
    assert len(lines) == 1 + 5 * 2 + 1


@pytest.mark.parametrize(
    ("kind", "group", "namespace", "command"),
    [
        ("Pod", "", "n", "kubectl -n n describe pod x"),
        ("Kafka", "kafka.strimzi.io", "n", "kubectl -n n describe kafka.kafka.strimzi.io x"),
        ("Node", "", None, "kubectl describe node x"),
    ],
)
def test_the_command_to_look_further(kind, group, namespace, command):
    assert diagnosis.describe_command(kind, group, "x", namespace) == command


def test_the_headline_counts():
    report = diagnosis.Report("Pod n/a", "r", "look")
    assert (
        diagnosis.headline("ready", 3, 2, [report], "Over.") == "Waited 3 s for 2 objects to be ready; 1 is not. Over."
    )
    assert diagnosis.headline("absent", 3, 1, [], "") == "Waited 3 s for 1 object to be gone; 0 are not. "


def container(name, state, restarts=0):
    return {"name": name, "ready": False, "state": {state: {}}, "restartCount": restarts}


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        ([container("queue-proxy", "running"), container("user-container", "waiting", 5)], "user-container"),
        ([container("queue-proxy", "running"), container("user-container", "running", 5)], "user-container"),
        ([container("only", "running")], "only"),
        ([], "first"),
    ],
)
def test_the_log_is_that_of_the_container_in_trouble(statuses, told):
    pod = {"spec": {"containers": [{"name": "first"}]}, "status": {"containerStatuses": statuses}}
    assert diagnosis.silent_container(pod) == told
