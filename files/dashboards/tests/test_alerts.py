# SPDX-License-Identifier: GPL-3.0-or-later
"""The alert rules of the role `dashboard` with its defaults, judged by promtool with the cases of alerts.yml."""

import re
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLE = ROOT / "roles" / "dashboard"
CASES = Path(__file__).with_name("alerts.yml")
RULES = ("prometheusrule.yaml.j2", "prometheusrule-object-store.yaml.j2")


def rendered(template: str) -> dict[str, Any]:
    values = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    values |= {"xraylab_namespace": "xraylab-1", "__dashboard_cluster_name": "xraylab-1-xraylab"}
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)
    text = environment.from_string((ROLE / "templates" / template).read_text()).render(values)
    return yaml.safe_load(text)


@pytest.fixture(scope="module")
def rules() -> list[dict[str, Any]]:
    return [group for template in RULES for group in rendered(template)["spec"]["groups"]]


@pytest.fixture(scope="module")
def alerts(rules) -> dict[str, dict[str, Any]]:
    return {rule["alert"]: rule for group in rules for rule in group["rules"]}


def test_every_alert_fires_for_its_fault_and_for_nothing_else(rules, tmp_path):
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": rules}))
    (tmp_path / "alerts.yml").write_text(CASES.read_text())
    promtool = subprocess.run([ROOT / "lab" / "promtool"], capture_output=True, text=True, check=True).stdout.strip()
    done = subprocess.run([promtool, "test", "rules", tmp_path / "alerts.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_that_fires_and_one_that_does_not(alerts):
    seen = {name: set() for name in alerts}
    for test in yaml.safe_load(CASES.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            seen[case["alertname"]].add(bool(case["exp_alerts"]))
    assert seen == {name: {True, False} for name in alerts}


def test_every_alert_says_what_how_bad_and_what_to_do(alerts):
    runbooks = (ROOT / "docs" / "runbooks.md").read_text()
    headings = {heading.lower() for heading in re.findall(r"^## (\w+)$", runbooks, re.MULTILINE)}
    assert headings == {name.lower() for name in alerts}
    for name, rule in alerts.items():
        assert rule["labels"]["severity"] in ("critical", "warning"), name
        assert rule["annotations"]["summary"].endswith("."), name
        assert rule["annotations"]["runbook_url"].endswith(f"/docs/runbooks.md#{name.lower()}"), name
