# SPDX-License-Identifier: GPL-3.0-or-later
"""None lost, none twice: while the function's pods are killed, and when an X-ray is announced again and again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

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
    made = {name for key in keys for name in facility.results(key)}
    told = [(record["processed_key"], record["heatmap_key"]) for record in records.values()]
    assert made == {name for keys in told for name in keys if name} | {f"{processed}.json" for processed, _heat in told}


def test_an_xray_that_is_stored_ten_times_at_once_is_one_study(facility, xrays):
    with ThreadPoolExecutor(10) as pool:
        keys = set(pool.map(lambda _: facility.put("again/same.jpeg", xrays[0]), range(10)))
    first = facility.record(keys.pop())
    facility.put("again/same.jpeg", xrays[0])
    facility.wait_for("eleven announcements", lambda: facility.announced(first["key"]) >= 11, 120, 2)
    facility.wait_for("every event to be taken", lambda: facility.undelivered() == 0, 120, 2)
    assert facility.records("again/") == {first["key"]: first}
    assert len(facility.results(first["key"])) == 3
