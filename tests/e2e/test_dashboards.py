# SPDX-License-Identifier: GPL-3.0-or-later
"""Every panel has data while studies flow, and the numbers are those of the database and of the buckets.

There is no Grafana in the lab: queries run as it would run them. XRAYLAB_SCREENSHOTS=docs/images makes the flow longer
and draws the dashboards for the documentation; else they are drawn into tests/output.
"""

from __future__ import annotations

import io
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from as_grafana import COUNTS, DASHBOARDS, Grafana, Panel, counts, dashboard, panels
from drawing import draw

pytestmark = pytest.mark.lab
PICTURES = os.environ.get("XRAYLAB_SCREENSHOTS")
OUTPUT = Path(PICTURES or Path(__file__).resolve().parents[1] / "output" / "dashboards")
FLOW_SECONDS = 240 if PICTURES else 45
FOLDER = "dashboards/"
EMPTY_WHEN_WELL = "Which alerts fire"


def photo(number: int) -> bytes:
    """What is no X-ray, each time another."""
    from PIL import Image

    stream = io.BytesIO()
    Image.linear_gradient("L").resize((300, 300)).rotate(number * 7).save(stream, "PNG")
    return stream.getvalue()


class Flow:
    """X-rays that arrive by themselves, about two a second, some of them no X-ray and some no image."""

    def __init__(self, facility: Any, xrays: list[bytes]) -> None:
        self.facility, self.xrays, self.put, self.over = facility, xrays, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self) -> None:
        chance = random.Random(7)
        while not self.over.is_set():
            number = self.put
            name, data = f"{number:04}.jpeg", self.xrays[number % len(self.xrays)]
            if number % 23 == 4:
                name, data = f"{number:04}.png", photo(number)
            elif number % 31 == 6:
                name, data = f"{number:04}.txt", b"no image %d" % number
            self.facility.put(FOLDER + name, data)
            self.put += 1
            self.over.wait(chance.expovariate(2))

    def stop(self) -> None:
        self.over.set()
        if self.thread.is_alive():
            self.thread.join(60)


@pytest.fixture(scope="module")
def before(facility) -> dict[str, float]:
    return counts(facility)


@pytest.fixture(scope="module")
def flow(facility, xrays, before) -> Iterator[Flow]:
    flow = Flow(facility, xrays)
    flow.thread.start()
    try:
        facility.wait_for("a first result", facility.rows, 60)
        time.sleep(FLOW_SECONDS)
        yield flow
    finally:
        flow.stop()


def lacking(grafana: Grafana, panel: Panel) -> list[str]:
    """Queries of the panel that gave nothing."""
    return [
        target.get("rawSql") or target["expr"]
        for target in panel["targets"]
        if not any(row[-1] is not None for answer in grafana.ask_one(target) for row in answer.rows)
    ]


def test_the_cluster_has_the_dashboards_that_are_checked_in(facility):
    for name in DASHBOARDS:
        found = facility.custom.get_namespaced_custom_object(
            "grafana.integreatly.org", "v1beta1", "xraylab-1", "grafanadashboards", f"xraylab-{name}"
        )
        assert f'"uid": "{dashboard(name)["uid"]}"' in found["spec"]["json"]
        assert "@" not in found["spec"]["json"]


@pytest.mark.parametrize(
    ("name", "panel"),
    [
        pytest.param(name, panel, id=f"{name}: {panel['title']}")
        for name in DASHBOARDS
        for panel in panels(name)
        if panel["title"] != EMPTY_WHEN_WELL
    ],
)
def test_every_query_of_a_panel_has_data_while_studies_flow(facility, flow, name, panel):
    deadline = time.monotonic() + 45
    while (empty := lacking(Grafana(facility, 120), panel)) and time.monotonic() < deadline:
        time.sleep(3)
    assert not empty


@pytest.fixture(scope="module")
def settled(facility, flow) -> Flow:
    """After the flow, when everything that was put has an outcome."""
    flow.stop()

    def over() -> bool:
        rows = facility.rows(FOLDER).values()
        return len(rows) == flow.put and all(row["outcome"] for row in rows)

    facility.wait_for("an outcome of every study", over, 120, 2)
    return flow


def test_what_is_counted_is_what_the_buckets_gained(facility, before, settled):
    rows = facility.rows(FOLDER)
    sources = facility.keys(facility.source, facility.prefix + FOLDER)
    records = [record for record in facility.records(FOLDER).values() if record["outcome"] == "assessed"]
    copies = [
        row["anonymized_key"]
        for row in rows.values()
        if row["anonymized_key"] and facility.keys(facility.anonymized, row["anonymized_key"])
    ]
    gained = {title: number - before[title] for title, number in counts(facility).items()}
    assert gained == dict(zip(COUNTS, (len(sources), len(records), len(copies)), strict=True))
    assert len(sources) == settled.put


def test_prometheus_counts_what_the_database_counts(facility, settled):
    wanted = {"received": 0, "assessed": 0, "rejected": 0, "failed": 0} | {
        row["outcome"]: row["number"]
        for row in facility.query(
            "select coalesce(outcome, 'received') as outcome, count(*) as number from studies group by 1"
        )
    }

    def same() -> bool:
        found = Grafana(facility).prometheus("query", query='results_studies{namespace="xraylab-1"}')
        return {series["metric"]["outcome"]: int(series["value"][1]) for series in found} == wanted

    facility.wait_for(f"Prometheus to count {wanted}", same, 30, 2)


def test_each_recorded_study_has_its_latency(facility, settled):
    """Also those of pods that are gone. Others' studies may be among them, so at least as many."""

    def enough() -> bool:
        found = Grafana(facility).prometheus(
            "query", query='sum(increase(results_seconds_count{namespace="xraylab-1"}[30m]))'
        )
        return bool(found) and float(found[0]["value"][1]) >= settled.put * 0.95

    facility.wait_for("as many latencies as studies", enough, 30, 2)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_dashboard_can_be_drawn(facility, settled, name):
    OUTPUT.mkdir(parents=True, exist_ok=True)
    grafana = Grafana(facility, FLOW_SECONDS + 60)
    path = OUTPUT / f"dashboard-{name}.png"
    draw(dashboard(name), {panel["id"]: grafana.ask(panel) for panel in panels(name)}, grafana.when, path)
    assert path.stat().st_size > 20_000
