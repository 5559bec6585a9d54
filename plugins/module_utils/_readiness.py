# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges from a Kubernetes object alone whether it works: as kstatus does, and by kind where that is too little.

Pure: objects are dicts as the API server returns them. The kinds' own words are in _readiness_table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._readiness_table import (
    BUILT_IN_GROUPS,
    POD_LABELS,
    RULES,
    Check,
    Rule,
)

Object = dict[str, Any]
# Reasons of a waiting container that need someone to act; a crash loop is none, as what the pod waits for may come up.
STUCK_REASONS = (
    "ImagePullBackOff", "ErrImagePull", "InvalidImageName", "ErrImageNeverPull", "CreateContainerConfigError",
    "CreateContainerError", "RunContainerError",
)  # fmt: skip
RANK = {"failed": 0, "failing": 1, "waiting": 2, "ready": 3}


@dataclass(frozen=True)
class Verdict:
    """`state` is ready, waiting, failing (an error that may pass) or failed (one that no waiting will change)."""

    state: str
    reason: str
    then: tuple[str, str, str] | None = None
    """(apiVersion, kind, name) of an object in the same namespace that has to be ready as well."""


READY = Verdict("ready", "is ready")


def judge(obj: Object, conditions: list[str] | None = None, exists: bool = False) -> Verdict:
    """`conditions` replace what the kind's rule asks for; with `exists` it is enough that the object is there."""
    metadata = obj["metadata"]
    if metadata.get("deletionTimestamp"):
        return Verdict("waiting", "is being deleted" + held_by(metadata))
    if exists:
        return READY
    generation, seen = metadata.get("generation"), value_at(obj, "status.observedGeneration")
    if generation and seen != "" and int(seen) < int(generation):
        return Verdict(
            "waiting", f"its controller has not seen the last change yet (generation {seen} of {generation})"
        )
    rule = Rule(conditions=tuple(conditions)) if conditions else rule_of(obj)
    return judge_by_rule(obj, rule) if rule else judge_by_habit(obj)


def rule_of(obj: Object) -> Rule | None:
    group, kind = group_of(obj["apiVersion"]), obj["kind"]
    return RULES.get((group, kind)) or RULES.get((group, "*"))


def group_of(api_version: str) -> str:
    return api_version.rpartition("/")[0]


def judge_by_rule(obj: Object, rule: Rule) -> Verdict:
    """The worst of what the rule's parts say."""
    if rule.exists:
        return READY
    verdicts = [*errors(obj, rule), *missing(obj, rule)]
    if rule.workload:
        verdicts.append(WORKLOADS[rule.workload](obj))
    worst = min(verdicts, key=lambda verdict: RANK[verdict.state], default=READY)
    return follow(obj) if worst.state == "ready" else worst


def errors(obj: Object, rule: Rule) -> Iterator[Verdict]:
    for state, checks, names in (
        ("failed", rule.failed, rule.failed_conditions),
        ("failing", rule.failing, rule.failing_conditions),
    ):
        yield from (Verdict(state, say_value(obj, path)) for path, values in checks if value_at(obj, path) in values)
        yield from (Verdict(state, say_condition(obj, name)) for name in names if holds(obj, name))
    for entry in value_at(obj, "status.conditions") or []:
        if rule.complaints and entry["type"].endswith(rule.complaints):
            yield Verdict("failing", f"{entry['type']}: {entry.get('message', '')}")


def missing(obj: Object, rule: Rule) -> Iterator[Verdict]:
    for name in rule.conditions:
        if not holds(obj, name):
            yield Verdict("waiting", say_condition(obj, name))
    checks: tuple[Check, ...] = rule.values
    yield from (
        Verdict("waiting", say_value(obj, path)) for path, values in checks if str(value_at(obj, path)) not in values
    )
    for path in rule.filled:
        if not value_at(obj, path):
            yield Verdict("waiting", f"{path} is still empty{why(obj)}")


def judge_by_habit(obj: Object) -> Verdict:
    """A kind without a rule: kstatus' reading of the conditions, but a custom resource must have got a status first."""
    if holds(obj, "Stalled"):
        return Verdict("failed", say_condition(obj, "Stalled"))
    if holds(obj, "Reconciling"):
        return Verdict("waiting", say_condition(obj, "Reconciling"))
    for name in ("Ready", "Available"):
        if condition(obj, name):
            return READY if holds(obj, name) else Verdict("waiting", say_condition(obj, name))
    group = group_of(obj["apiVersion"])
    if obj.get("status") or group in BUILT_IN_GROUPS or group.endswith(".k8s.io"):
        return READY
    return Verdict("waiting", "has no status yet (if this kind never writes one, wait for it with ready_when: exists)")


def follow(obj: Object) -> Verdict:
    """A Subscription works when the operator version that it installed does."""
    if obj["kind"] == "Subscription" and group_of(obj["apiVersion"]) == "operators.coreos.com":
        installed = obj["status"]["installedCSV"]
        return Verdict("ready", READY.reason, ("operators.coreos.com/v1alpha1", "ClusterServiceVersion", installed))
    return READY


def condition(obj: Object, kind: str) -> dict[str, Any]:
    conditions = value_at(obj, "status.conditions") or []
    return next((entry for entry in conditions if entry.get("type") == kind), {})


def holds(obj: Object, name: str) -> bool:
    """Whether a condition has its status: "Ready" means "Ready=True"."""
    kind, _equals, status = name.partition("=")
    return condition(obj, kind).get("status") == (status or "True")


def value_at(obj: Object, path: str) -> Any:
    """The value at a dotted path, "" where there is none."""
    value: Any = obj
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else value


def say_value(obj: Object, path: str) -> str:
    value = value_at(obj, path)
    return f"{path} is {value}{why(obj)}" if value != "" else f"{path} is still empty{why(obj)}"


def say_condition(obj: Object, name: str) -> str:
    kind, found = name.partition("=")[0], condition(obj, name.partition("=")[0])
    if not found:
        return f"has no condition {kind} yet{why(obj)}"
    text = ": ".join(str(found[part]).strip() for part in ("reason", "message") if found.get(part))
    return f"{kind} is {found.get('status')}{f' ({text})' if text else why(obj)}"


def why(obj: Object) -> str:
    """What the status itself says of its state, or a condition that reports trouble: " (Reason: message)" or ""."""
    status = obj.get("status") or {}
    parts = [str(status[part]) for part in ("reason", "message") if status.get(part)]
    if not parts:
        for entry in status.get("conditions") or []:
            trouble = entry.get("status") == "False" or (
                entry.get("type") in ("NotReady", "Degraded") and entry.get("status") == "True"
            )
            if trouble and entry.get("message"):
                parts = [str(entry.get("reason") or entry["type"]), str(entry["message"])]
                break
    return f" ({': '.join(parts)})" if parts else ""


def held_by(metadata: dict[str, Any]) -> str:
    finalizers = metadata.get("finalizers")
    return f" and held by its finalizers {', '.join(finalizers)}" if finalizers else ""


def deployment(obj: Object) -> Verdict:
    progressing = condition(obj, "Progressing")
    if progressing.get("reason") == "ProgressDeadlineExceeded":
        return Verdict("failed", say_condition(obj, "Progressing"))
    wanted, count = replicas(obj)
    if count("updatedReplicas") < wanted:
        return Verdict("waiting", f"{count('updatedReplicas')} of {wanted} replicas are of the last version{why(obj)}")
    if count("replicas") > count("updatedReplicas"):
        return Verdict(
            "waiting", f"{count('replicas') - count('updatedReplicas')} replicas of an old version still run"
        )
    if count("availableReplicas") < wanted:
        return Verdict("waiting", f"{count('availableReplicas')} of {wanted} replicas are available{why(obj)}")
    return READY if holds(obj, "Available") else Verdict("waiting", say_condition(obj, "Available"))


def stateful_set(obj: Object) -> Verdict:
    wanted, count = replicas(obj)
    if count("readyReplicas") < wanted:
        return Verdict("waiting", f"{count('readyReplicas')} of {wanted} replicas are ready")
    if value_at(obj, "spec.updateStrategy.type") == "OnDelete":
        return READY
    new = wanted - int(value_at(obj, "spec.updateStrategy.rollingUpdate.partition") or 0)
    if (
        value_at(obj, "status.currentRevision") != value_at(obj, "status.updateRevision")
        and count("updatedReplicas") < new
    ):
        return Verdict("waiting", f"{count('updatedReplicas')} of {new} replicas are of the last version")
    return READY


def daemon_set(obj: Object) -> Verdict:
    if value_at(obj, "status.observedGeneration") == "":
        return Verdict("waiting", "has no status yet")
    count = counter(obj)
    wanted = count("desiredNumberScheduled")
    for field, words in (("updatedNumberScheduled", "of the last version"), ("numberAvailable", "available")):
        if count(field) < wanted:
            return Verdict("waiting", f"{count(field)} of {wanted} pods are {words}")
    return READY


def replica_set(obj: Object) -> Verdict:
    wanted, count = replicas(obj)
    if count("availableReplicas") < wanted or count("replicas") > wanted:
        return Verdict("waiting", f"{count('availableReplicas')} of {wanted} replicas are available{why(obj)}")
    return READY


def replicas(obj: Object) -> tuple[int, Callable[[str], int]]:
    wanted = value_at(obj, "spec.replicas")
    return (1 if wanted == "" else int(wanted)), counter(obj)


def counter(obj: Object) -> Callable[[str], int]:
    return lambda field: int(value_at(obj, f"status.{field}") or 0)


def service(obj: Object) -> Verdict:
    if value_at(obj, "spec.type") == "LoadBalancer" and not value_at(obj, "status.loadBalancer.ingress"):
        return Verdict("waiting", "its load balancer has no address yet")
    return READY


def route(obj: Object) -> Verdict:
    for ingress in value_at(obj, "status.ingress") or []:
        if holds({"status": ingress}, "Admitted"):
            return READY
        return Verdict("waiting", say_condition({"status": ingress}, "Admitted"))
    return Verdict("waiting", "no router has admitted it yet")


def pod(obj: Object) -> Verdict:
    state = value_at(obj, "status.phase")
    if state == "Succeeded":
        return READY
    if state == "Failed":
        return Verdict("failed", say_value(obj, "status.phase"))
    stuck = container_trouble(obj)
    if stuck:
        return Verdict("failing" if stuck[0] in STUCK_REASONS else "waiting", stuck[1])
    for name in ("PodScheduled", "Ready"):
        if not holds(obj, name):
            return Verdict("waiting", say_condition(obj, name))
    return READY


def container_trouble(obj: Object) -> tuple[str, str] | None:
    """(reason, sentence) for the first container of a pod that cannot run."""
    status = obj.get("status") or {}
    for entry in [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]:
        waiting = (entry.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason", "")
        if reason in STUCK_REASONS or reason == "CrashLoopBackOff":
            ended = (entry.get("lastState") or {}).get("terminated") or {}
            exit_code = f"; its last run ended with exit code {ended['exitCode']}" if "exitCode" in ended else ""
            return reason, f"container {entry['name']} is in {reason}: {waiting.get('message', '')}{exit_code}"
    return None


WORKLOADS: dict[str, Callable[[Object], Verdict]] = {
    "deployment": deployment,
    "stateful_set": stateful_set,
    "daemon_set": daemon_set,
    "replica_set": replica_set,
    "service": service,
    "route": route,
    "pod": pod,
}


def pod_selector(obj: Object) -> str:
    """Label selector of the pods that do an object's work, "" when that is not known."""
    labels = POD_LABELS.get((group_of(obj["apiVersion"]), obj["kind"]))
    if labels:
        return labels.format(name=obj["metadata"]["name"])
    selector = value_at(obj, "spec.selector")
    if obj["kind"] == "ClusterServiceVersion":
        deployments = value_at(obj, "spec.install.spec.deployments") or [{}]
        selector = value_at(deployments[0], "spec.selector")
    if not isinstance(selector, dict):
        return ""
    pairs = selector.get("matchLabels", selector)
    return ",".join(f"{name}={value}" for name, value in pairs.items() if isinstance(value, str))
