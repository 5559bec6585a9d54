# SPDX-License-Identifier: GPL-3.0-or-later
"""Sixty X-rays while the function's pods are killed: none lost, none twice."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.lab
KILLS = 3


def test_none_is_lost_and_none_comes_twice_while_pods_are_killed(facility, xrays):
    keys = [facility.put(f"killed/{number:02}.jpeg", image) for number, image in enumerate(xrays)]
    killed: set[str] = set()
    for _ in range(KILLS):
        victims = facility.wait_for("pods to kill", lambda: set(facility.pods()) - killed, 120)
        for pod in victims:
            facility.core.delete_namespaced_pod(pod, "xraylab-1", grace_period_seconds=0)
        killed.update(victims)
        if len(facility.records("killed/")) == len(keys):
            break
    assert killed

    def settled() -> bool:
        return set(keys) <= set(facility.records("killed/")) | set(facility.dead_letters())

    facility.wait_for("every study to be settled", settled, 300, 2)
    assert not set(keys) & set(facility.dead_letters())
    records = facility.records("killed/")  # fails when a study is recorded twice
    assert set(records) == set(keys)
    stored = facility.keys(facility.processed, facility.prefix + "killed/")
    assert len([key for key in stored if not key.endswith(".json")]) == len(keys)
