# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role `dashboard` brings where there are Routes, which the lab has none of, and elsewhere."""

import base64
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml

ROLE = Path(__file__).resolve().parents[3] / "roles" / "dashboard"
ENCODED = {
    key: base64.b64encode(value).decode() for key, value in {"host": b"db", "port": b"5432", "ca.crt": b"x"}.items()
}


@pytest.fixture
def made():
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters["b64decode"] = lambda text: base64.b64decode(text).decode()

    def render(template: str, openshift: bool, **given: Any) -> dict[str, Any]:
        values = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
        values |= {
            "xraylab_namespace": "xraylab-1", "__dashboard_proxied": openshift, "__dashboard_thanos": openshift,
            "__dashboard_secrets": {"results-grafana": ENCODED},
        }  # fmt: skip
        return yaml.safe_load(
            environment.from_string((ROLE / "templates" / template).read_text()).render(values | given)
        )

    return render


def test_openshift_says_who_may_enter(made):
    spec = made("grafana.yaml.j2", True)["spec"]
    (proxy,) = spec["deployment"]["spec"]["template"]["spec"]["containers"]
    assert '--openshift-sar={"namespace": "xraylab-1", "resource": "pods", "verb": "get"}' in proxy["args"]
    assert spec["config"]["auth"]["disable_login_form"] == "true"
    assert spec["config"]["auth.proxy"]["whitelist"] == "127.0.0.1, ::1"  # nobody else may say who someone is
    assert spec["route"]["spec"]["port"] == {"targetPort": "https"}
    assert spec["route"]["spec"]["tls"]["termination"] == "reencrypt"
    assert "ingress" not in spec


def test_elsewhere_there_is_an_ingress_with_a_host_only(made):
    assert not {"route", "ingress", "deployment"} & set(made("grafana.yaml.j2", False)["spec"])
    (rule,) = made("grafana.yaml.j2", False, dashboard_host="grafana.test")["spec"]["ingress"]["spec"]["rules"]
    assert rule["host"] == "grafana.test"


@pytest.mark.parametrize("openshift", [True, False])
def test_datasources_name_secrets_and_hold_none(made, openshift):
    for name in ("prometheus", "results"):
        spec = made(f"grafanadatasource-{name}.yaml.j2", openshift, dashboard_prometheus_url="http://p:9090")["spec"]
        for path, value in spec["datasource"].get("secureJsonData", {}).items():
            source = next(entry for entry in spec["valuesFrom"] if entry["targetPath"] == f"secureJsonData.{path}")
            (reference,) = source["valueFrom"].values()
            assert value.removeprefix("Bearer ") == f"${{{reference['key']}}}"
    assert spec["datasource"]["url"] == "db:5432"
    assert spec["datasource"]["jsonData"]["sslmode"] == "verify-full"
