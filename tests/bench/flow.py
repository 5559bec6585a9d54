#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast X-rays flow through the facility in the lab: from zero, one by one, a thousand at once; judges nothing.

    python tests/bench/flow.py [--studies 1000]

The lab must be up and otherwise idle. Seconds are from the start of a PUT to `recorded_at` of the study's row. What is
stored is removed in the end.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from function import SERVICE, costs_of, settings, show

sys.path.insert(0, str(SERVICE.parents[1] / "tests" / "e2e"))
import conftest

Rows = dict[str, dict[str, Any]]


def put_all(facility: Any, folder: str, xrays: list[bytes], number: int, pause: float) -> dict[str, datetime]:
    """When the PUT of each key began: one every `pause` seconds, or as fast as eight clients can."""

    def put(index: int) -> tuple[str, datetime]:
        begin = datetime.now(UTC)
        return facility.put(f"{folder}/{index:04}.jpeg", xrays[index % len(xrays)]), begin

    if not pause:
        with ThreadPoolExecutor(8) as clients:
            return dict(clients.map(put, range(number)))
    begun = {}
    for index in range(number):
        key, begin = put(index)
        begun[key] = begin
        time.sleep(max(0.0, pause - (datetime.now(UTC) - begin).total_seconds()))
    return begun


def recorded(facility: Any, folder: str, number: int) -> Rows:
    def all_there() -> Rows | None:
        rows: Rows = facility.rows(f"{folder}/")
        return rows if len(rows) == number and all(row["recorded_at"] for row in rows.values()) else None

    found: Rows = facility.wait_for(f"{number} studies to be recorded", all_there, 60 + number, 0.2)
    return found


def seconds_each(begun: dict[str, datetime], rows: Rows) -> list[float]:
    return [(rows[key]["recorded_at"] - begin).total_seconds() for key, begin in begun.items()]


def bench_from_zero(facility: Any, xrays: list[bytes], turns: int) -> None:
    found = []
    for turn in range(turns):
        facility.wait_for("the function to fall asleep", lambda: not facility.pods(), 300, 1)
        time.sleep(5)  # its pod's end is over
        found += seconds_each(put_all(facility, f"zero {turn}", xrays, 1, 0), recorded(facility, f"zero {turn}", 1))
    print("from zero: " + ", ".join(f"{seconds:.2f}" for seconds in found) + " s")
    show("from zero, PUT to recorded, median", statistics.median(found), " s", 3)


def bench_one_by_one(facility: Any, xrays: list[bytes], number: int) -> None:
    put_all(facility, "warm", xrays, 5, 1)
    recorded(facility, "warm", 5)
    before = stage_seconds(facility)
    begun = put_all(facility, "steady", xrays, number, 1)
    found = seconds_each(begun, recorded(facility, "steady", number))
    show(f"{number} at 1/s, PUT to recorded, p50", statistics.median(found), " s", 1.5)
    print(f"  p95 {statistics.quantiles(found, n=20)[-1]:.2f} s, longest {max(found):.2f} s")
    took = {stage: seconds - before.get(stage, 0) for stage, seconds in stage_seconds(facility).items()}
    others = sum(took.values()) - took["row"]
    show("  the database's row, share of the rest of a study's seconds", 100 * took["row"] / others, " %", 10)
    show_shares(took)


def stage_seconds(facility: Any) -> dict[str, float]:
    """Of all pods of the function together."""
    found: dict[str, float] = {}
    name = "risk_assessment_stage_seconds_sum{stage="
    for pod in facility.pods():
        address = facility.core.read_namespaced_pod(pod, conftest.NAMESPACE).status.pod_ip
        text = urllib.request.urlopen(f"http://{address}:8080/metrics", timeout=20).read().decode()
        for line in text.splitlines():
            if line.startswith(name):
                stage, _, seconds = line.removeprefix(name).partition("} ")
                found[stage.strip('"')] = found.get(stage.strip('"'), 0.0) + float(seconds)
    return found


def show_shares(stages: dict[str, float]) -> None:
    whole = sum(stages.values())
    print("  seconds by stage: " + ", ".join(f"{stage} {100 * took / whole:.0f} %" for stage, took in stages.items()))


def rate_of_bare_function(xrays: list[bytes]) -> float:
    """Studies a second on one core, without HTTP and stores, by CPU time."""
    sys.path[:0] = [str(SERVICE), str(SERVICE / "tests")]
    from model_service.app import build_pipeline
    from service_fakes import MemoryStore

    with tempfile.TemporaryDirectory() as name:
        pipeline = build_pipeline(settings(Path(name), 1), MemoryStore())
        costs = [costs_of(xray, "jpeg", pipeline, 1)[0].of("whole") for xray in xrays]
    return 1000 / statistics.mean(costs)


def bench_burst(facility: Any, xrays: list[bytes], number: int) -> None:
    bare, cores = rate_of_bare_function(xrays), os.cpu_count() or 1
    begun = put_all(facility, "burst", xrays, number, 0)
    rows = recorded(facility, "burst", number)
    first, last = min(begun.values()), max(row["recorded_at"] for row in rows.values())
    rate = number / (last - first).total_seconds()
    put = (max(begun.values()) - first).total_seconds()
    print(f"\n{number} at once: put in {put:.0f} s, all recorded after {(last - first).total_seconds():.0f} s")
    print(f"  the bare function: {bare:.1f} studies/s on one core; {cores} cores carry all of the lab")
    show(f"  drained at {rate:.1f} studies/s, share of {cores} x bare", 100 * rate / (cores * bare), " %", 80)
    show_shares(stage_seconds(facility))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000, help="how many come at once")
    studies = parser.parse_args().studies
    if reason := conftest.why_skip():
        raise SystemExit(reason)
    facility = conftest.Facility()
    xrays = conftest.some_xrays()
    try:
        bench_from_zero(facility, xrays, 5)
        bench_one_by_one(facility, xrays, 60)
        bench_burst(facility, xrays, studies)
    finally:
        facility.forget()


if __name__ == "__main__":
    main()
