# SPDX-License-Identifier: GPL-3.0-or-later
"""The dashboards as they are checked in: what the code builds, with core panels and the two datasources only."""

import json
import re
from typing import Any

import pytest
from dashboards.__main__ import DASHBOARDS, FOLDER, text

CORE = {"stat", "timeseries", "barchart", "piechart", "table", "row"}
DATASOURCES = {"xraylab-prometheus": "prometheus", "xraylab-results": "postgres"}
UIDS = {"xray-lab": "hakbeh9Wz", "last-images": "lastimagesdashboard", "operations": "xraylab-operations"}


def panels(name: str) -> list[dict[str, Any]]:
    return json.loads((FOLDER / f"{name}.json").read_text())["panels"]


def shown(name: str) -> list[dict[str, Any]]:
    return [panel for panel in panels(name) if panel["type"] != "row"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_is_checked_in_is_what_the_code_builds(name):
    written = (FOLDER / f"{name}.json").read_text()
    assert written == text(name), "run `make dashboards`"


@pytest.mark.parametrize(("name", "uid"), UIDS.items())
def test_addresses_stay(name, uid):
    assert json.loads((FOLDER / f"{name}.json").read_text())["uid"] == uid


@pytest.mark.parametrize("name", DASHBOARDS)
def test_only_core_panels_and_known_datasources(name):
    assert {panel["type"] for panel in panels(name)} <= CORE
    for panel in shown(name):
        for part in (panel, *panel["targets"]):
            source = part["datasource"]
            assert DATASOURCES[source["uid"]] == source["type"]
        assert panel["title"]
        assert panel["description"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_do_not_overlap_and_leave_no_hole(name):
    taken = set()
    for panel in panels(name):
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
    assert len(taken) == 24 * (max(y for _x, y in taken) + 1)


OURS = re.compile(r"\b(?:risk_assessment|results|arrivals|kafka|kube|container)_\w+(.?)")


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_metric_of_a_namespace_is_asked_for_this_facilitys(name):
    for panel in shown(name):
        for expression in [target["expr"] for target in panel["targets"] if "expr" in target]:
            assert set(OURS.findall(expression)) <= {"{"}, expression
            assert "$namespace" in expression or "ceph_rgw_" in expression


def test_queries_of_the_original_demo_are_used_as_they_were():
    queries = [target.get("rawSql") for name in DASHBOARDS for panel in shown(name) for target in panel["targets"]]
    for table in ("uploaded", "processed", "anonymized"):
        assert f"select count(*) from images_{table}" in queries
        assert f"SELECT * FROM images_{table} WHERE name != '' ORDER by time DESC LIMIT 10" in queries
    for column, alias in (("label", ""), ("model", ' AS "model"')):
        assert (
            f"SELECT\n  $__timeGroupAlias(time,$__interval),\n  {column} AS metric,\n  count({column}){alias}\n"
            f"FROM images_processed\nWHERE\n  $__timeFilter(time)\n  and\n  {column} != ''\nGROUP BY 1,2\n"
            "ORDER BY $__timeGroup(time,$__interval)"
        ) in queries
