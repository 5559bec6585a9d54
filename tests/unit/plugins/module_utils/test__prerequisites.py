# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _prerequisites as prerequisites
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._prerequisites import Right

SPAN = ">=1.27,<1.38"


def storage_class(name, default=None):
    annotations = {prerequisites.DEFAULT_CLASS: default} if default else None
    return {"metadata": {"name": name, "annotations": annotations}}


def manifest(name, source="redhat-operators", **channels):
    entries = [
        {"name": channel, "currentCSV": csvs[0], "entries": [{"name": csv} for csv in csvs]}
        for channel, csvs in channels.items()
    ]
    status = {"catalogSource": source, "defaultChannel": next(iter(channels)), "channels": entries}
    return {"metadata": {"name": name}, "status": status}


def volume(storage_class="", what="Kafka"):
    return {"what": what, "count": 1, "storage_class": storage_class, "set_by": "kafka_storage_class"}


@pytest.mark.parametrize(("version", "ok"), [("v1.27.3", True), ("v1.26.0", False), ("v1.38.0", None)])
def test_a_version_that_nobody_has_tried_is_no_fault(version, ok):
    assert prerequisites.judge_version(version, SPAN).ok is ok


def test_all_missing_variables_are_named():
    assert prerequisites.judge_variables(["b", "a"]).seen == "not set, or empty: a, b."
    assert prerequisites.judge_variables([]).ok is True


@pytest.mark.parametrize(
    ("entry", "ok", "cure"),
    [
        ({"channel": "stable"}, True, ""),
        ({}, True, ""),
        ({"channel": "stable", "starting_csv": "amq.v1"}, True, ""),
        ({"channel": "stable", "starting_csv": "amq.v0"}, False, "has the channels stable (amq.v2, amq.v1)"),
        ({"channel": "fast"}, False, "has the channels stable (amq.v2, amq.v1)"),
        ({"package": "none"}, False, "Catalog redhat-operators has the packages amq-streams"),
        ({"source": "mirror"}, False, "kubectl -n openshift-marketplace get catalogsource"),
    ],
)
def test_a_package_is_found_in_its_catalog(entry, ok, cure):
    operator = prerequisites.operator_of({"package": "amq-streams", "namespace": "n", "install_mode": "x", **entry})
    manifests = [manifest("amq-streams", stable=["amq.v2", "amq.v1"]), manifest("none", "community", v5=["n.v1"])]
    finding = prerequisites.judge_package(operator, manifests)
    assert finding.ok is ok
    assert ok or cure in finding.cure


def test_a_channel_without_entries_may_have_any_version():
    assert prerequisites.has_version({"name": "c", "currentCSV": "a.v2"}, "a.v1")


@pytest.mark.parametrize(
    ("defaults", "volumes", "ok"),
    [
        (["a"], [volume()], True),
        ([], [volume()], False),
        ([], [volume("x")], True),
        (["a", "b"], [volume()], False),
        (["a", "b"], [volume("x")], False),
    ],
)
def test_one_class_is_the_default_when_a_volume_wants_it(defaults, volumes, ok):
    classes = [storage_class(name, "true") for name in defaults] + [storage_class("x", "false")]
    findings = list(prerequisites.judge_classes(classes, volumes))
    assert findings[-1].ok is ok
    assert all(finding.ok for finding in findings[:-1])


def test_a_class_that_is_not_there_is_named_with_those_that_are():
    finding = next(prerequisites.judge_classes([storage_class("b"), storage_class("a", "true")], [volume("fast")]))
    assert (finding.ok, finding.what) == (False, "storage class fast of Kafka exists")
    assert finding.seen == "the cluster has a, b."
    assert finding.cure == "Set kafka_storage_class to one of them."


@pytest.mark.parametrize(
    ("slices", "ok"),
    [
        ([], False),
        ([{"endpoints": None}], False),
        ([{"endpoints": [{"conditions": {"ready": False}}]}], False),
        ([{"endpoints": [{"conditions": {"ready": False}}, {"conditions": {"ready": True}}]}], True),
        ([{"endpoints": [{}]}], True),
    ],
)
def test_dns_has_a_server_that_is_ready(slices, ok):
    assert prerequisites.judge_dns("kube-system", "kube-dns", slices).ok is ok


ENTRIES = [
    {"group": "apps", "resource": "deployments", "verbs": ["create"]},
    {"resource": "pods/log", "verbs": ["get"]},
    {"group": "route.openshift.io", "resource": "routes", "verbs": ["create"], "only_on": "openshift"},
    {"group": "networking.k8s.io", "resource": "ingresses", "verbs": ["create"], "only_on": "kubernetes"},
    {"resource": "secrets", "verbs": ["get"], "namespaces": ["a", "b"]},
    {"resource": "services", "verbs": ["get"], "namespaces": []},
]


def test_rights_are_those_of_this_cluster():
    rights = prerequisites.rights_of(ENTRIES, "n", exists=True, openshift=True)
    assert [(right.verb, str(right), right.namespace) for right in rights] == [
        ("get", "namespaces", "n"),
        ("patch", "namespaces", "n"),
        ("delete", "namespaces", "n"),
        ("create", "deployments.apps", "n"),
        ("get", "pods/log", "n"),
        ("create", "routes.route.openshift.io", "n"),
        ("get", "secrets", "a"),
        ("get", "secrets", "b"),
    ]
    elsewhere = prerequisites.rights_of(ENTRIES, "n", exists=False, openshift=False)
    assert Right("", "namespaces", "create", "") in elsewhere
    assert Right("networking.k8s.io", "ingresses", "create", "n") in elsewhere


def test_the_api_server_is_asked_as_it_will_be():
    asked = prerequisites.review_of(Right("", "pods/log", "get", "n"))["spec"]["resourceAttributes"]
    assert asked == {"group": "", "resource": "pods", "subresource": "log", "verb": "get", "namespace": "n"}
    assert prerequisites.review_of(Right("", "namespaces", "patch", "n"))["spec"]["resourceAttributes"]["name"] == "n"


def test_what_is_not_allowed_is_one_finding_for_the_same_verbs_in_a_namespace():
    denied = [
        Right("apps", "deployments", "create", "n"),
        Right("apps", "deployments", "patch", "n"),
        Right("", "secrets", "create", "n"),
        Right("", "secrets", "patch", "n"),
        Right("", "pods", "create", "n"),
        Right("", "nodes", "get", ""),
    ]
    findings = list(prerequisites.judge_rights([*denied, Right("", "pods", "get", "n")], denied))
    assert [(finding.ok, finding.what, finding.seen) for finding in findings] == [
        (False, "this user may create, patch in namespace n", "not so deployments.apps, secrets."),
        (False, "this user may create in namespace n", "not so pods."),
        (False, "this user may get in the whole cluster", "not so nodes."),
    ]
    assert findings[0].cure.endswith("kubectl auth can-i create deployments.apps -n n")
    assert [finding.ok for finding in prerequisites.judge_rights(denied, [])] == [True]
