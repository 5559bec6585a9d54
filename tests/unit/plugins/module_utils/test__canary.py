# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._canary import Limits, judge, tally, trouble

LIMITS = Limits(min_studies=10, max_error_rate=0.1)


def line(outcome, **more):
    return json.dumps({"time": "t", "level": "info", "message": outcome, "study": "s", "stages": {}, **more})


def lines(assessed=0, retry=0, error="The store is down."):
    return [line("assessed", risk=0.2)] * assessed + [line("retry", error=error)] * retry


def test_studies_are_counted_by_what_became_of_them():
    found = tally([*lines(3, 1), line("rejected"), line("refused", error="No image."), line("retry")])
    assert found.outcomes == {"assessed": 3, "rejected": 1, "refused": 1, "retry": 2}
    assert (found.handled, found.failed) == (7, 3)
    assert set(found.errors) == {"The store is down.", "No image.", "no reason given"}
    assert found.result()["error_rate"] == 0.4286


@pytest.mark.parametrize(
    "other",
    ["Started server", "", "[1]", "null", '{"message": "assessed"}', line("repeated"), line("ignored"), line("x")],
)
def test_lines_of_no_study_that_it_had_to_assess_are_passed_over(other):
    assert tally([other]).handled == 0
    assert tally([]).error_rate == 0


@pytest.mark.parametrize(
    ("assessed", "retry", "over", "state"),
    [
        (0, 0, False, "wait"),
        (9, 0, False, "wait"),
        (10, 0, False, "keep"),
        (9, 1, False, "keep"),
        (0, 1, False, "wait"),
        (0, 2, False, "roll_back"),  # two of ten would be too many already
        (18, 2, False, "keep"),
        (17, 3, False, "roll_back"),
        (0, 0, True, "keep"),
        (3, 0, True, "keep"),
        (3, 1, True, "roll_back"),
    ],
)
def test_the_verdict(assessed, retry, over, state):
    assert judge(tally(lines(assessed, retry)), tally([]), "", LIMITS, over).state == state


def test_the_reason_tells_what_was_measured_and_allowed():
    found = judge(tally(lines(1, 3)), tally(lines(4)), "", LIMITS, over=False)
    assert found.reason == (
        "It failed for 3 of 4 studies (75.0%, at most 10.0%): The store is down. (3); "
        "the kept revision meanwhile for 0 of 4."
    )


def pod(state=None, restarts=0, name="user-container"):
    last = {"terminated": {"reason": "OOMKilled", "exitCode": 137}} if restarts else {}
    status = {"name": name, "restartCount": restarts, "state": state or {"running": {}}, "lastState": last}
    return {"metadata": {"name": "p"}, "status": {"containerStatuses": [status]}}


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ([], ""),
        ([pod()], ""),
        ([pod(restarts=1, name="queue-proxy")], ""),
        ([{"metadata": {"name": "p"}, "status": {}}], ""),
        ([pod({"waiting": {"reason": "ContainerCreating"}})], ""),
        ([pod(), pod(restarts=2)], "Pod p: its container ended 2 times (OOMKilled, exit code 137)."),
        ([pod({"waiting": {"reason": "ErrImagePull", "message": "no"}})], "Pod p: container user-container is in Err"),
    ],
)
def test_a_container_that_ended_or_cannot_start_is_trouble(pods, words):
    found = trouble(pods)
    assert found.startswith(words)
    assert bool(found) == bool(words)


def test_trouble_is_enough_to_roll_back():
    assert judge(tally(lines(50)), tally([]), "Pod p: it ended.", LIMITS, over=False).reason == "Pod p: it ended."
