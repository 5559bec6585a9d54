# SPDX-License-Identifier: GPL-3.0-or-later
"""Asks for a panel's data as Grafana does: macros and variables replaced, PostgreSQL as Grafana's own user."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

PROMETHEUS = "http://10.250.0.1:30090"
FOLDER = Path(__file__).resolve().parents[2] / "roles" / "dashboard" / "files"
DASHBOARDS = ("xray-lab", "last-images", "operations")
SCRAPE_SECONDS = 5
COUNTS = ("Images uploaded", "Images processed", "Images anonymized")
Panel = dict[str, Any]


@dataclass
class Answer:
    """A table: names of columns and rows; of a time series, the first column is the time in seconds since 1970."""

    legend: str
    columns: list[str]
    rows: list[tuple[Any, ...]] = field(default_factory=list)


def dashboard(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def panels(name: str) -> list[Panel]:
    return [panel for panel in dashboard(name)["panels"] if panel["type"] != "row"]


class Grafana:
    """Looks at the last `seconds`. `facility` knows the database."""

    def __init__(self, facility: Any, seconds: int = 300) -> None:
        self.facility = facility
        self.end = time.time()
        self.begin = self.end - seconds
        self.step = max(SCRAPE_SECONDS, seconds // 150)
        begin, end = (datetime.fromtimestamp(moment, UTC) for moment in (self.begin, self.end))
        self.when = f"{begin:%Y-%m-%d %H:%M} to {end:%H:%M} UTC"
        self.http = httpx.Client(base_url=PROMETHEUS, timeout=30)

    def ask(self, panel: Panel) -> list[Answer]:
        return [answer for target in panel["targets"] for answer in self.ask_one(target)]

    def ask_one(self, target: dict[str, Any]) -> Iterator[Answer]:
        if "rawSql" in target:
            yield from self.sql(target["rawSql"], target["format"])
        elif target.get("instant"):
            yield from self.now(target)
        else:
            yield from self.over_time(target)

    def sql(self, text: str, form: str) -> Iterator[Answer]:
        with self.facility.connect("grafana") as connection:
            found = connection.execute(self.expand_sql(text))
            columns = [column.name for column in found.description]
            rows = [tuple(row.values()) for row in found.fetchall()]
        if form == "table":
            yield Answer("", columns, rows)
        elif "metric" in columns:
            yield from by_metric(columns, rows)
        else:
            yield Answer(columns[1], columns, rows)

    def expand_sql(self, text: str) -> str:
        begin, end = (datetime.fromtimestamp(moment, UTC).isoformat() for moment in (self.begin, self.end))
        text = text.replace("$__interval", f"{self.step}s")
        group = rf"floor(extract(epoch from \1)/{self.step})*{self.step}"
        text = re.sub(r"\$__timeGroupAlias\((\w+),\s*\w+\)", group + ' AS "time"', text)
        text = re.sub(r"\$__timeGroup\((\w+),\s*\w+\)", group, text)
        text = re.sub(r"\$__timeFilter\((\w+)\)", rf"\1 BETWEEN '{begin}' AND '{end}'", text)
        assert "$" not in text, f"a macro that is not replaced: {text}"
        return text

    def expand(self, expression: str) -> str:
        """As Grafana's Prometheus datasource: a rate looks at four scrapes at least."""
        rate = max(self.step + SCRAPE_SECONDS, 4 * SCRAPE_SECONDS)
        expression = expression.replace("$__rate_interval", f"{rate}s").replace("$namespace", "xraylab-1")
        assert "$" not in expression, f"a variable that is not replaced: {expression}"
        return expression

    def prometheus(self, path: str, **query: Any) -> list[dict[str, Any]]:
        answer = self.http.get(f"/api/v1/{path}", params=query).json()
        assert answer["status"] == "success", answer
        return answer["data"]["result"]

    def now(self, target: dict[str, Any]) -> Iterator[Answer]:
        found = self.prometheus("query", query=self.expand(target["expr"]), time=self.end)
        if target.get("format") == "table":
            names = sorted({name for series in found for name in series["metric"]})
            rows = [(*(series["metric"].get(name, "") for name in names), series["value"][1]) for series in found]
            yield Answer("", [*names, "Value"], rows)
            return
        for series in found:
            moment, value = series["value"]
            yield Answer(legend(target, series["metric"]), ["time", "value"], [(moment, float(value))])

    def over_time(self, target: dict[str, Any]) -> Iterator[Answer]:
        found = self.prometheus(
            "query_range", query=self.expand(target["expr"]), start=self.begin, end=self.end, step=self.step
        )
        for series in found:
            rows = [(moment, float(value)) for moment, value in series["values"] if value != "NaN"]
            yield Answer(legend(target, series["metric"]), ["time", "value"], rows)


def by_metric(columns: list[str], rows: list[tuple[Any, ...]]) -> Iterator[Answer]:
    place = columns.index("metric")
    for name in sorted({row[place] for row in rows}):
        mine = [tuple(value for index, value in enumerate(row) if index != place) for row in rows if row[place] == name]
        yield Answer(name, [column for column in columns if column != "metric"], mine)


def legend(target: dict[str, Any], labels: dict[str, str]) -> str:
    return re.sub(r"\{\{(\w+)\}\}", lambda found: labels.get(found[1], ""), target.get("legendFormat", ""))


def counts(facility: Any) -> dict[str, float]:
    """What the dashboard XRay Lab shows as its three numbers."""
    grafana = Grafana(facility)
    shown = {panel["title"]: panel for panel in panels("xray-lab")}
    return {title: float(grafana.ask(shown[title])[0].rows[0][-1]) for title in COUNTS}
