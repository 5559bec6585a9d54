# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges whether a cluster's nodes have room for the pods that will come.

Pure: objects are dicts as the API server returns them, and so are the pods that will come.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._findings import Finding
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._quantities import amount, say

Object = dict[str, Any]
Amounts = dict[str, Decimal]
RESOURCES = ("cpu", "memory", "pods")
STORAGE_LABEL = "cluster.ocs.openshift.io/openshift-storage"
STORAGE_NODES = 3
SET_BY = "xraylab/set-by"


def wanted_pods(entries: list[Object]) -> list[Object]:
    """The pods that will come, as Pods whose generateName says what they are."""
    return [
        {
            "metadata": {"generateName": entry["what"], "annotations": {SET_BY: entry.get("set_by") or ""}},
            "spec": {"containers": [{"resources": container} for container in entry.get("containers") or []]},
        }
        for entry in entries
        for _number in range(entry["count"])
    ]


def own(obj: Object) -> bool:
    """Whether the roles made it, or Kafka's operator for them: it is among what will come, too."""
    labels = obj["metadata"].get("labels") or {}
    return labels.get("app.kubernetes.io/part-of") == "xraylab" or "strimzi.io/cluster" in labels


def asked(pod: Object) -> Amounts:
    """What the scheduler counts for a pod."""
    spec = pod["spec"]
    starting = spec.get("initContainers") or []
    sidecars = [entry for entry in starting if entry.get("restartPolicy") == "Always"]
    found = {"pods": Decimal(1)}
    for resource in ("cpu", "memory"):
        running = sum((request(entry, resource) for entry in [*spec["containers"], *sidecars]), Decimal(0))
        first = max((request(entry, resource) for entry in starting), default=Decimal(0))
        found[resource] = max(running, first) + amount((spec.get("overhead") or {}).get(resource, 0))
    return found


def request(container: Object, resource: str) -> Decimal:
    """Without a request, a limit is one."""
    resources = container.get("resources") or {}
    stated = (resources.get("requests") or {}).get(resource, (resources.get("limits") or {}).get(resource, 0))
    return amount(stated)


def total(pods: list[Object]) -> Amounts:
    asks = [asked(pod) for pod in pods]
    return {resource: sum((ask[resource] for ask in asks), Decimal(0)) for resource in RESOURCES}


# Nodes


def condition(node: Object, kind: str) -> Object:
    found = (node.get("status") or {}).get("conditions") or []
    return next((entry for entry in found if entry.get("type") == kind), {})


def illness(node: Object) -> str:
    """What ails a node, or nothing."""
    if condition(node, "Ready").get("status") != "True":
        why = condition(node, "Ready").get("message") or "its kubelet says nothing"
        return f"it is not Ready ({why})"
    kinds = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")
    return ", ".join(kind for kind in kinds if condition(node, kind).get("status") == "True")


def closed(node: Object) -> str:
    """Why no pod without tolerations goes to a node that works, or nothing. The roles' pods have none."""
    spec = node.get("spec") or {}
    if spec.get("unschedulable"):
        return "cordoned"
    taints = [entry for entry in spec.get("taints") or [] if entry.get("effect") in ("NoSchedule", "NoExecute")]
    return ", ".join(f"taint {entry['key']}:{entry['effect']}" for entry in taints)


def judge_nodes(nodes: list[Object]) -> Iterator[Finding]:
    for node in nodes:
        name = node["metadata"]["name"]
        if illness(node):
            yield Finding(
                "nodes", f"node {name} works", False, f"{illness(node)}.", f"Look further: kubectl describe node {name}"
            )
    away = [f"{node['metadata']['name']}: {closed(node)}" for node in nodes if closed(node)]
    told = f" ({'; '.join(sorted(away))})" if away else ""
    usable = open_nodes(nodes)
    yield Finding(
        "nodes",
        f"pods can go to {len(usable)} of {len(nodes)} nodes{told}",
        bool(usable),
        "at least one node that is Ready, schedulable and without taints is needed.",
        "Uncordon or add workers.",
    )


def open_nodes(nodes: list[Object]) -> list[Object]:
    return [node for node in nodes if not illness(node) and not closed(node)]


def judge_storage_nodes(nodes: list[Object], chosen: list[str]) -> Finding:
    """`chosen` will get the label."""
    found = [
        node
        for node in nodes
        if STORAGE_LABEL in (node["metadata"].get("labels") or {}) or node["metadata"]["name"] in chosen
    ]
    ill = [f"{node['metadata']['name']}: {illness(node)}" for node in found if illness(node)]
    told = f", of which do not work: {'; '.join(ill)}" if ill else ""
    return Finding(
        "nodes",
        f"Data Foundation has {STORAGE_NODES} nodes with the label {STORAGE_LABEL}, or in object_store_storage_nodes",
        len(found) - len(ill) >= STORAGE_NODES,
        f"there are {len(found)}{told}.",
        "List workers with disks in object_store_storage_nodes.",
    )


# Room


def free(nodes: list[Object], pods: list[Object], namespace: str | None) -> dict[str, Amounts]:
    """By node, what others leave of it."""
    left = {}
    for node in open_nodes(nodes):
        given = (node.get("status") or {}).get("allocatable") or {}
        left[node["metadata"]["name"]] = {resource: amount(given.get(resource, 0)) for resource in RESOURCES}
    for pod in pods:
        there = left.get(pod["spec"].get("nodeName", ""))
        over = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
        if there is None or over or (pod["metadata"].get("namespace") == namespace and own(pod)):
            continue
        for resource, value in asked(pod).items():
            there[resource] -= value
    return left


def place(left: dict[str, Amounts], pods: list[Object]) -> list[Object]:
    """Pods that find no node when the largest choose first, each the node with most memory."""
    left = {name: dict(amounts) for name, amounts in left.items()}
    out = []
    for pod in sorted(pods, key=lambda pod: (asked(pod)["memory"], asked(pod)["cpu"]), reverse=True):
        ask = asked(pod)
        fitting = [amounts for amounts in left.values() if all(amounts[name] >= ask[name] for name in RESOURCES)]
        if not fitting:
            out.append(pod)
            continue
        chosen = max(fitting, key=lambda amounts: amounts["memory"])
        for resource, value in ask.items():
            chosen[resource] -= value
    return out


def judge_room(nodes: list[Object], pods: list[Object], wanted: list[Object], namespace: str | None) -> Finding:
    left = free(nodes, pods, namespace)
    sums = {name: sum((amounts[name] for amounts in left.values()), Decimal(0)) for name in RESOURCES}
    out = place(left, wanted)
    return Finding(
        "nodes",
        f"the pipeline's pods find room: {say_amounts(total(wanted))} are asked for, {say_amounts(sums)} are free",
        not out,
        f"no node has room for {say_pods(out, wanted)}.",
        f"Add workers, take load away{variables('lower', out)}.",
    )


def say_amounts(amounts: Amounts) -> str:
    return ", ".join(say(resource, amounts[resource]) for resource in RESOURCES)


def say_pods(some: list[Object], all_of_them: list[Object]) -> str:
    counts = Counter(name_of(pod) for pod in all_of_them)
    sizes = {name_of(pod): asked(pod) for pod in some}
    return ", ".join(
        f"{count} of {counts[name]} x {name} ({say_size(sizes[name])})"
        for name, count in Counter(name_of(pod) for pod in some).items()
    )


def say_size(ask: Amounts) -> str:
    return f"{say('cpu', ask['cpu'])}, {say('memory', ask['memory'])} each"


def name_of(pod: Object) -> str:
    return pod["metadata"]["generateName"]


def variables(verb: str, objects: list[Object]) -> str:
    """What sets how much these ask for, as the end of a sentence."""
    names = dict.fromkeys(obj["metadata"]["annotations"][SET_BY] for obj in objects)
    return f", or {verb} {', '.join(filter(None, names))}" if any(names) else ""
