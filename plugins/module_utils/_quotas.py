# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges whether a namespace's quotas and limit ranges let in the pods and volumes that will come.

Pure: objects are dicts as the API server returns them, and so are the pods that will come.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _room as room
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._findings import Finding
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._quantities import amount, say

Object = dict[str, Any]
SHORT = {
    "cpu": "requests.cpu", "memory": "requests.memory", "count/pods": "pods",
    "count/persistentvolumeclaims": "persistentvolumeclaims",
}  # fmt: skip
OF_CLASS = ".storageclass.storage.k8s.io/"


def claims_of(entries: list[Object]) -> list[Object]:
    """The volumes that will come, as PersistentVolumeClaims."""
    return [
        {
            "metadata": {"generateName": entry["what"], "annotations": {room.SET_BY: entry.get("set_by") or ""}},
            "spec": {
                "storageClassName": entry.get("storage_class") or "",
                "resources": {"requests": {"storage": entry["size"]}},
            },
        }
        for entry in entries
        for _number in range(entry["count"])
    ]


def size_of(claim: Object) -> Decimal:
    return amount(((claim["spec"].get("resources") or {}).get("requests") or {}).get("storage", 0))


# What a limit range makes of a container


def items(ranges: list[Object], kind: str) -> list[Object]:
    return [item for entry in ranges for item in entry["spec"].get("limits") or [] if item.get("type") == kind]


def completed(pods: list[Object], ranges: list[Object]) -> list[Object]:
    """The pods, with what the namespace's limit ranges add where their containers say nothing."""
    found = items(ranges, "Container")
    defaults = {part: merged(found, part) for part in ("default", "defaultRequest")}
    return [
        {**pod, "spec": {**pod["spec"], "containers": [complete(part, defaults) for part in pod["spec"]["containers"]]}}
        for pod in pods
    ]


def merged(found: list[Object], part: str) -> Object:
    return {resource: value for item in found for resource, value in (item.get(part) or {}).items()}


def complete(container: Object, defaults: dict[str, Object]) -> Object:
    resources = container.get("resources") or {}
    stated, limits = resources.get("requests") or {}, resources.get("limits") or {}
    return {
        **container,
        "resources": {
            "requests": {**defaults["defaultRequest"], **limits, **stated},
            "limits": {**defaults["default"], **limits},
        },
    }


def judge_limits(ranges: list[Object], pods: list[Object], claims: list[Object]) -> Iterator[Finding]:
    """`pods` are completed ones."""
    whats = {}
    for item in items(ranges, "Container"):
        for pod in pods:
            for container in pod["spec"]["containers"]:
                resources = container["resources"]
                whats.update(outside(item, pod, resources["requests"], resources["limits"]))
    for item in items(ranges, "PersistentVolumeClaim"):
        for claim in claims:
            size = {"storage": size_of(claim)}
            whats.update(outside(item, claim, size, size))
    for what, seen in whats.items():
        cure = "Have the limit range changed, or set another request, limit or size in the inventory."
        yield Finding("quota", what, False, seen, cure)
    if ranges and not whats:
        yield Finding("quota", f"limit ranges let every pod and volume in ({len(ranges)} found)")


def outside(item: Object, obj: Object, requests: Object, limits: Object) -> Iterator[tuple[str, str]]:
    """What should be and what is, for a limit or size above the range's maximum and a request below its minimum."""
    name = room.name_of(obj)
    for resource, most in (item.get("max") or {}).items():
        if amount(limits.get(resource, 0)) > amount(most):
            told = say(resource, amount(limits[resource]))
            yield (
                f"{name} stays below the namespace's limit range of {resource}",
                f"{told} is above its maximum {most}.",
            )
    for resource, least in (item.get("min") or {}).items():
        if resource in requests and amount(requests[resource]) < amount(least):
            told = say(resource, amount(requests[resource]))
            yield (
                f"{name} stays above the namespace's limit range of {resource}",
                f"{told} is below its minimum {least}.",
            )


# Quotas


def usage(pods: list[Object], claims: list[Object], default_class: str) -> dict[str, Decimal]:
    """What quotas count, by their names of it."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for pod in pods:
        found["pods"] += 1
        ask = room.asked(pod)
        for resource in ("cpu", "memory"):
            found[f"requests.{resource}"] += ask[resource]
            for container in pod["spec"]["containers"]:
                limits = (container.get("resources") or {}).get("limits") or {}
                found[f"limits.{resource}"] += amount(limits.get(resource, 0))
    for claim in claims:
        name = claim["spec"].get("storageClassName") or default_class
        for prefix in ("", f"{name}{OF_CLASS}"):
            found[f"{prefix}persistentvolumeclaims"] += 1
            found[f"{prefix}requests.storage"] += size_of(claim)
    return found


def unstated(resource: str, pods: list[Object]) -> list[Object]:
    """Pods that a quota on this resource keeps out, as a container does not say how much it takes."""
    part, _dot, name = resource.partition(".")
    if part not in ("requests", "limits") or name == "storage":
        return []
    return [
        pod for pod in pods if any(name not in entry["resources"].get(part, {}) for entry in pod["spec"]["containers"])
    ]


def judge_quota(quota: Object, need: dict[str, Decimal], ours: dict[str, Decimal], pods: list[Object]) -> list[Finding]:
    """`ours` is what the roles' own objects use already; `pods` are completed ones."""
    name = quota["metadata"]["name"]
    scopes = [
        *(quota["spec"].get("scopes") or []),
        *((quota["spec"].get("scopeSelector") or {}).get("matchExpressions") or []),
    ]
    if scopes:
        seen = "it is for pods of certain scopes only; whether these are among them is not known."
        return [Finding("quota", f"quota {name} leaves enough", None, seen, f"Look: kubectl describe quota {name}")]
    findings = []
    for resource, hard in (quota["spec"].get("hard") or {}).items():
        counted = SHORT.get(resource, resource)
        used = amount(((quota.get("status") or {}).get("used") or {}).get(resource, 0))
        left = amount(hard) - max(used - ours.get(counted, Decimal(0)), Decimal(0))
        findings += short_of(name, resource, need.get(counted, Decimal(0)), left)
        findings += kept_out(name, resource, unstated(counted, pods))
    return findings or [Finding("quota", f"quota {name} leaves enough")]


def short_of(quota: str, resource: str, need: Decimal, left: Decimal) -> list[Finding]:
    if need <= left:
        return []
    seen = f"{say(resource, need)} will be asked for; left: {say(resource, left)}."
    return [Finding("quota", f"quota {quota} leaves enough of {resource}", False, seen, "Have the quota raised.")]


def kept_out(quota: str, resource: str, pods: list[Object]) -> list[Finding]:
    if not pods:
        return []
    names = ", ".join(dict.fromkeys(room.name_of(pod) for pod in pods))
    seen = f"no {resource} is set for containers of {names}, and the quota lets no such pod in."
    cure = f"Add a LimitRange with a default for it to the namespace{room.variables('set', pods)}."
    return [Finding("quota", f"pods say what quota {quota} on {resource} wants to know", False, seen, cure)]
