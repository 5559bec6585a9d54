# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for KnativeKafka: which parts it installs for which spec."""

from __future__ import annotations

import pytest
from eventing_kafka.installer import parts_of, settled

META = {"name": "knative-kafka", "namespace": "knative-eventing", "uid": "u"}


def knative_kafka(**spec) -> dict:
    return {
        "apiVersion": "operator.serverless.openshift.io/v1alpha1",
        "kind": "KnativeKafka",
        "metadata": META,
        "spec": spec,
    }


@pytest.mark.parametrize(
    ("source", "sink", "wanted"),
    [
        (True, True, {"kafka-controller", "kafka-sink-ingress"}),
        (True, False, {"kafka-controller"}),
        (False, True, {"kafka-controller", "kafka-sink-ingress"}),
        (False, False, set()),
    ],
)
def test_what_is_enabled_is_installed_and_the_rest_goes(source, sink, wanted):
    here, gone = parts_of(knative_kafka(source={"enabled": source}, sink={"enabled": sink}), "image")
    assert {part["metadata"]["name"] for part in here} == wanted
    assert {part["metadata"]["name"] for part in gone} == {"kafka-controller", "kafka-sink-ingress"} - wanted


def test_every_part_has_the_image_and_goes_with_the_resource():
    parts, _ = parts_of(knative_kafka(source={"enabled": True}, sink={"enabled": True}), "image")
    for part in parts:
        assert part["metadata"]["ownerReferences"][0]["uid"] == "u"
        assert part["metadata"]["namespace"] == "knative-eventing"
    containers = [p["spec"]["template"]["spec"]["containers"][0] for p in parts if p["kind"] == "Deployment"]
    assert {container["image"] for container in containers} == {"image"}


@pytest.mark.parametrize(
    ("generation", "available", "expected"), [(2, "True", True), (1, "True", False), (2, "False", False)]
)
def test_a_deployment_is_settled_when_its_newest_generation_is_available(generation, available, expected):
    status = {"observedGeneration": generation, "conditions": [{"type": "Available", "status": available}]}
    assert settled({"metadata": {"generation": 2}, "status": status}) is expected
