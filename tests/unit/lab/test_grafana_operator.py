# SPDX-License-Identifier: GPL-3.0-or-later
"""The Grafana Operator's stand-in: what it lets through, what it refuses, and the statuses it writes."""

import base64
import copy
import gzip
import json

import pytest
from grafana import models, status
from grafana.instances import entry, selected
from grafana.models import Invalid, Refused

GRAFANA = {
    "kind": "Grafana",
    "metadata": {"name": "xraylab", "namespace": "xraylab-1", "generation": 1, "labels": {"dashboards": "xraylab"}},
    "spec": {},
}
MODEL = {"uid": "hakbeh9Wz", "title": "XRay Lab", "panels": [{"datasource": {"type": "prometheus", "uid": "metrics"}}]}


def resource(kind="GrafanaDashboard", **spec):
    meta = {"name": "xray", "namespace": "xraylab-1", "generation": 4, "uid": "u-1"}
    return {
        "kind": kind,
        "metadata": meta,
        "spec": {"instanceSelector": {"matchLabels": {"dashboards": "xraylab"}}, **spec},
    }


def datasource(**fields):
    content = {"name": "Metrics", "type": "prometheus", "access": "proxy", "uid": "metrics", **fields}
    return resource("GrafanaDatasource", datasource=content)


def test_a_dashboard_comes_from_json_gzip_or_a_config_map():
    text = json.dumps(MODEL)
    packed = base64.b64encode(gzip.compress(text.encode())).decode()
    for found in (
        models.dashboard(resource(json=text)),
        models.dashboard(resource(gzipJson=packed)),
        models.dashboard(resource(configMapRef={"name": "x", "key": "y"}), text),
    ):
        assert (found.uid, found.content, found.hash) == ("hakbeh9Wz", MODEL, models.digest(text))


def test_inputs_are_renamed_to_datasources():
    body = resource(json='{"uid": "a", "title": "${DS}"}', datasources=[{"inputName": "DS", "datasourceName": "M"}])
    assert models.dashboard(body).content["title"] == "M"


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("{", Invalid, "failed to extract model"),
        ("[]", Invalid, "expected a JSON object, saw list"),
        ('{"title": "x"}', Refused, "expected a dashboard uid of 1 to 40 characters, saw None"),
        (json.dumps({"title": "x", "uid": "u" * 41}), Refused, "expected a dashboard uid"),
        ('{"uid": "x"}', Refused, "title cannot be empty"),
    ],
)
def test_a_dashboard_that_grafana_would_not_take_is_refused(text, error, words):
    with pytest.raises(error, match=words):
        models.dashboard(resource(json=text))


@pytest.mark.parametrize("spec", [{}, {"json": "{}", "gzipJson": "x"}, {"grafanaCom": {"id": 1}}])
def test_a_dashboard_has_one_source_that_the_stand_in_can_read(spec):
    with pytest.raises(Invalid, match=r"one source|not in this stand-in"):
        models.source(spec)


def test_a_reference_to_no_datasource_is_refused():
    model = models.dashboard(resource(json=json.dumps(MODEL)))
    models.check_datasources(model, {"metrics"})
    with pytest.raises(Refused, match="no datasource has the uid metrics; there are results"):
        models.check_datasources(model, {"results"})


def test_variables_and_grafanas_own_datasources_need_no_resource():
    panels = [{"datasource": name} for name in ("-- Mixed --", "$source")] + [{"targets": [{"datasource": "grafana"}]}]
    content = {**MODEL, "panels": panels, "templating": {"list": [{"name": "source", "type": "datasource"}]}}
    models.check_datasources(models.dashboard(resource(json=json.dumps(content))), set())
    del content["templating"]
    with pytest.raises(Refused, match="source"):
        models.check_datasources(models.dashboard(resource(json=json.dumps(content))), set())


def test_a_datasource_is_filled_in_from_secrets():
    body, path = datasource(secureJsonData={"password": "${salt}${password}"}), "secureJsonData.password"
    model = models.datasource(body, [(path, "password", "s3cret"), (path, "salt", "a-")])
    assert model.content["secureJsonData"] == {"password": "a-s3cret"}
    assert model.uid == "metrics"
    assert body["spec"]["datasource"]["secureJsonData"] == {"password": "${salt}${password}"}
    with pytest.raises(Invalid, match="pattern must be a string"):
        models.datasource(datasource(), [(path, "password", "s3cret")])


@pytest.mark.parametrize("name", ["name", "type", "access"])
def test_a_datasource_needs_name_type_and_access(name):
    with pytest.raises(Refused, match=f"needs {name}"):
        models.datasource(datasource(**{name: ""}), [])


def test_an_instance_is_selected_by_labels_in_its_namespace():
    body, elsewhere = resource(), copy.deepcopy(GRAFANA)
    elsewhere["metadata"]["namespace"] = "other"
    assert selected(body, GRAFANA)
    assert not selected(body, elsewhere)
    body["spec"]["allowCrossNamespaceImport"] = True
    assert selected(body, elsewhere)
    body["spec"]["instanceSelector"] = {"matchLabels": {"dashboards": "others"}}
    assert not selected(body, GRAFANA)


@pytest.mark.parametrize(
    ("operator", "values", "found"),
    [("In", ["xraylab"], True), ("NotIn", ["xraylab"], False), ("Exists", None, True), ("DoesNotExist", None, False)],
)
def test_an_instance_is_selected_by_expressions(operator, values, found):
    body = resource()
    body["spec"]["instanceSelector"] = {
        "matchExpressions": [{"key": "dashboards", "operator": operator, "values": values}]
    }
    assert selected(body, GRAFANA) is found


def test_what_landed_is_in_both_statuses():
    body, model = resource(json=json.dumps(MODEL)), models.dashboard(resource(json=json.dumps(MODEL)))
    body["status"] = status.applied(body, model, ["xraylab-1/xraylab"])
    (condition,) = body["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"], condition["observedGeneration"]) == (
        "DashboardSynchronized",
        "True",
        "ApplySuccessful",
        4,
    )
    assert entry(body) == "xraylab-1/xray/hakbeh9Wz"
    assert status.applied(body, model, ["xraylab-1/xraylab"]) == body["status"]
    grafana = status.grafana(GRAFANA, [], [entry(body)])
    assert (grafana["stage"], grafana["stageStatus"]) == ("complete", "success")
    assert grafana["dashboards"] == ["xraylab-1/xray/hakbeh9Wz"]


def test_failures_replace_the_synchronized_condition():
    body = resource(json=json.dumps(MODEL))
    body["status"] = status.applied(body, models.dashboard(body), ["xraylab-1/xraylab"])
    for new, type_, value in (
        (status.no_match(body), "NoMatchingInstance", "True"),
        (status.invalid(body, Invalid("x")), "InvalidSpec", "True"),
        (status.refused(body, Refused("x"), ["xraylab-1/xraylab"]), "DashboardSynchronized", "False"),
    ):
        assert [(c["type"], c["status"]) for c in new["conditions"]] == [(type_, value)]
        assert all(c["reason"] and c["message"] for c in new["conditions"])
    assert status.no_match(body)["NoMatchingInstances"] is True
