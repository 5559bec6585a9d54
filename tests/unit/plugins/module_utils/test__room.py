# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _room as room

READY = [{"type": "Ready", "status": "True"}]


def node(name, cpu="4", memory="16Gi", conditions=None, labels=None, **spec):
    allocatable = {"cpu": cpu, "memory": memory, "pods": "110"}
    return {
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"allocatable": allocatable, "conditions": READY if conditions is None else conditions},
    }


def pod(on, cpu="1", memory="1Gi", namespace="others", labels=None, phase="Running"):
    container = {"resources": {"requests": {"cpu": cpu, "memory": memory}}}
    return {
        "metadata": {"namespace": namespace, "labels": labels},
        "spec": {"nodeName": on, "containers": [container]},
        "status": {"phase": phase},
    }


def wanted(what, count, cpu, memory, set_by=""):
    return room.wanted_pods(
        [{"what": what, "count": count, "containers": [{"requests": {"cpu": cpu, "memory": memory}}], "set_by": set_by}]
    )


def wrong(findings):
    return [finding for finding in findings if finding.ok is False]


@pytest.mark.parametrize(
    ("conditions", "told"),
    [
        ([], "it is not Ready (its kubelet says nothing)"),
        ([{"type": "Ready", "status": "Unknown", "message": "stopped"}], "it is not Ready (stopped)"),
        ([*READY, {"type": "DiskPressure", "status": "True"}], "DiskPressure"),
        ([*READY, {"type": "DiskPressure", "status": "False"}], ""),
    ],
)
def test_what_ails_a_node_is_named(conditions, told):
    assert room.illness(node("a", conditions=conditions)) == told


def test_nodes_that_take_no_pods_are_named_and_are_no_fault():
    taints = [{"key": "infra", "effect": "NoSchedule"}, {"key": "soft", "effect": "PreferNoSchedule"}]
    nodes = [node("a"), node("b", taints=taints), node("c", unschedulable=True), node("d", taints=taints[1:])]
    findings = list(room.judge_nodes(nodes))
    assert wrong(findings) == []
    assert findings[-1].what == "pods can go to 2 of 4 nodes (b: taint infra:NoSchedule; c: cordoned)"


def test_a_node_that_does_not_work_and_no_other_are_two_faults():
    assert [finding.what for finding in wrong(room.judge_nodes([node("a", conditions=[])]))] == [
        "node a works",
        "pods can go to 0 of 1 nodes",
    ]


def test_what_others_ask_for_is_not_free():
    nodes = [node("a"), node("b", unschedulable=True)]
    facility = {"app.kubernetes.io/part-of": "xraylab"}
    pods = [
        pod("a"),
        pod("a", phase="Succeeded"),
        pod("b"),
        pod("a", namespace="xraylab-1", labels=facility),
        pod("a", namespace="xraylab-1", labels={"strimzi.io/cluster": "c"}),
        pod("a", namespace="xraylab-1"),
        pod("a", labels=facility),
    ]
    left = room.free(nodes, pods, "xraylab-1")
    assert list(left) == ["a"]
    assert (left["a"]["cpu"], left["a"]["memory"], left["a"]["pods"]) == (1, 13 * 2**30, 107)


def test_a_pod_asks_for_its_containers_or_for_its_greatest_first_one():
    def container(cpu, **more):
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    spec = {"containers": [container("1"), {"resources": {"limits": {"cpu": "500m"}}}], "overhead": {"cpu": "100m"}}
    assert float(room.asked({"spec": spec})["cpu"]) == 1.6
    spec["initContainers"] = [container("1", restartPolicy="Always"), container("2")]
    assert float(room.asked({"spec": spec})["cpu"]) == 2.6


def test_there_is_room():
    finding = room.judge_room([node("a"), node("b")], [pod("a")], wanted("Kafka", 3, "2", "4Gi"), "n")
    assert finding.ok is True
    assert finding.what == (
        "the pipeline's pods find room: 6 CPU, 12 GiB of memory, 3 pods are asked for, "
        "7 CPU, 31 GiB of memory, 219 pods are free"
    )


def test_pods_that_no_node_takes_are_named_though_the_sum_would_do():
    kafka = wanted("Kafka", 3, "3", "4Gi", "image_events_kafka_resources")
    function = wanted("function", 2, "500m", "1Gi", "risk_assessment_max_scale")
    finding = room.judge_room([node("a", cpu="5"), node("b", cpu="5")], [], kafka + function, "n")
    assert finding.ok is False
    assert finding.seen == "no node has room for 1 of 3 x Kafka (3 CPU, 4 GiB of memory each)."
    assert finding.cure == "Add workers, take load away, or lower image_events_kafka_resources."


def test_data_foundation_wants_three_labelled_nodes_that_work():
    labels = {room.STORAGE_LABEL: ""}
    nodes = [node("a", labels=labels), node("b", labels=labels), node("c", labels=labels, conditions=[]), node("d")]
    finding = room.judge_storage_nodes(nodes, [])
    assert finding.ok is False
    assert finding.seen == "there are 3, of which do not work: c: it is not Ready (its kubelet says nothing)."
    assert room.judge_storage_nodes([*nodes, node("e", labels=labels)], []).ok is True
    assert room.judge_storage_nodes(nodes, ["d"]).ok is True
