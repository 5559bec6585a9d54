# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes by Git, what never does, and how it lies in the repository."""

from __future__ import annotations

import yaml
from ansible_collections.xraylab.medical_diagnosis.plugins.action import deliver


def obj(kind, name="x", namespace="site", api_version="v1"):
    place = {"namespace": namespace} if namespace else {}
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, **place}}


def test_secrets_and_what_lies_elsewhere_never_go_by_git():
    inside = [obj("Service"), obj("Kafka", api_version="kafka.strimzi.io/v1")]
    others = [obj("Secret"), obj("ClusterRoleBinding", namespace=""), obj("PrometheusRule", namespace="storage")]
    assert deliver.split([*others, *inside], "site") == (inside, others)


def test_services_of_kubernetes_and_knative_have_files_of_their_own():
    assert deliver.file_name(obj("Service", "page")) == "service-page.yaml"
    knative = obj("Service", "page", api_version="serving.knative.dev/v1")
    assert deliver.file_name(knative) == "service-serving-page.yaml"


class Tagged(str):
    """As ansible-core 2.19 marks what comes out of a template."""


def test_a_file_holds_the_object_as_it_was_rendered():
    made = {**obj("ConfigMap"), "data": {Tagged("key"): Tagged("ä: {{ b }}\nline"), "on": "yes"}}
    text = deliver.text_of(made)
    assert yaml.safe_load(text) == made
    assert "!!" not in text
    assert text.startswith("apiVersion: v1\nkind: ConfigMap\n")


def test_both_ways_give_one_result():
    git = {"changed": False, "commit": "c", "diff": []}
    assert deliver.joined([{"changed": True, "diff": {"before": 1}}, git]) == {
        "changed": True,
        "commit": "c",
        "diff": [{"before": 1}],
    }
    assert deliver.joined([git]) == {"changed": False, "commit": "c"}
