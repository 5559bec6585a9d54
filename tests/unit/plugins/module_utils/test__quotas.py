# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _quotas as quotas
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _room as room


def pods(requests=None, limits=None, count=1):
    container = {"requests": requests, "limits": limits}
    return room.wanted_pods([{"what": "function", "count": count, "containers": [container], "set_by": "max_scale"}])


def claims(size="10Gi", storage_class="", count=1):
    return quotas.claims_of([{"what": "Kafka", "count": count, "size": size, "storage_class": storage_class}])


def limit_range(**item):
    return {"metadata": {"name": "limits"}, "spec": {"limits": [item]}}


def judged(hard, used, some_pods, some_claims=(), ours=()):
    quota = {"metadata": {"name": "compute"}, "spec": {"hard": hard}, "status": {"used": used}}
    need = quotas.usage(some_pods, list(some_claims), "standard")
    return quotas.judge_quota(quota, need, quotas.usage(list(ours), [], "standard"), some_pods)


@pytest.mark.parametrize(
    ("requests", "limits", "default", "effective"),
    [
        ({"cpu": "1"}, {"cpu": "2"}, {}, ("1", "2")),
        ({}, {"cpu": "2"}, {"default": {"cpu": "4"}, "defaultRequest": {"cpu": "3"}}, ("2", "2")),
        ({}, {}, {"default": {"cpu": "4"}, "defaultRequest": {"cpu": "3"}}, ("3", "4")),
        ({}, {}, {}, (None, None)),
    ],
)
def test_limit_ranges_add_what_a_container_does_not_say(requests, limits, default, effective):
    [pod] = quotas.completed(pods(requests, limits), [limit_range(type="Container", **default)])
    resources = pod["spec"]["containers"][0]["resources"]
    assert (resources["requests"].get("cpu"), resources["limits"].get("cpu")) == effective


def test_what_a_limit_range_keeps_out_is_told_once():
    ranges = [
        limit_range(type="Container", max={"memory": "1Gi"}, min={"cpu": "100m"}),
        limit_range(type="PersistentVolumeClaim", max={"storage": "5Gi"}),
    ]
    made = quotas.completed(pods({"cpu": "50m"}, {"memory": "2Gi"}, count=3), ranges)
    findings = list(quotas.judge_limits(ranges, made, claims()))
    assert [finding.seen for finding in findings] == [
        "2 GiB of memory is above its maximum 1Gi.",
        "0.05 CPU is below its minimum 100m.",
        "10 GiB of storage is above its maximum 5Gi.",
    ]
    assert {finding.ok for finding in findings} == {False}
    assert findings[0].what == "function stays below the namespace's limit range of memory"


def test_limit_ranges_that_let_all_in_are_told():
    ranges = [limit_range(type="Container", max={"memory": "2Gi"})]
    assert [finding.ok for finding in quotas.judge_limits(ranges, quotas.completed(pods(), ranges), [])] == [True]
    assert list(quotas.judge_limits([], [], [])) == []


@pytest.mark.parametrize(
    ("hard", "used", "seen"),
    [
        ({"requests.cpu": "2"}, {"requests.cpu": "1"}, "2 CPU will be asked for; left: 1 CPU."),
        ({"cpu": "1"}, {}, "2 CPU will be asked for; left: 1 CPU."),
        ({"pods": "3"}, {"pods": "2"}, "2 pods will be asked for; left: 1 pods."),
        ({"requests.storage": "15Gi"}, {}, "20 GiB of storage will be asked for; left: 15 GiB of storage."),
        (
            {"standard.storageclass.storage.k8s.io/persistentvolumeclaims": "1"},
            {},
            "2 persistentvolumeclaims will be asked for; left: 1 persistentvolumeclaims.",
        ),
    ],
)
def test_what_a_quota_lacks_is_told(hard, used, seen):
    [finding] = judged(hard, used, pods({"cpu": "1"}, {"cpu": "1"}, count=2), claims(count=2))
    assert (finding.ok, finding.seen) == (False, seen)
    assert finding.what == f"quota compute leaves enough of {next(iter(hard))}"


def test_what_the_roles_have_made_already_counts_as_left():
    two = pods({"cpu": "1"}, count=2)
    assert [finding.ok for finding in judged({"requests.cpu": "2"}, {"requests.cpu": "2"}, two, ours=two)] == [True]
    assert [finding.ok for finding in judged({"requests.cpu": "2"}, {"requests.cpu": "2"}, two, ours=two[:1])] == [
        False
    ]


def test_a_quota_on_limits_keeps_pods_without_them_out():
    [finding] = judged({"limits.cpu": "20", "count/secrets": "99"}, {}, quotas.completed(pods(count=2), []))
    assert finding.ok is False
    assert finding.seen == "no limits.cpu is set for containers of function, and the quota lets no such pod in."
    default = [limit_range(type="Container", default={"cpu": "1"})]
    assert [finding.ok for finding in judged({"limits.cpu": "20"}, {}, quotas.completed(pods(), default))] == [True]


def test_a_quota_for_some_pods_only_is_not_judged():
    quota = {"metadata": {"name": "best"}, "spec": {"hard": {"pods": "0"}, "scopes": ["BestEffort"]}}
    assert [finding.ok for finding in quotas.judge_quota(quota, {"pods": 5}, {}, [])] == [None]
