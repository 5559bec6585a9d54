# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Watches many Kubernetes objects at once until all are ready (or gone), one has failed, or time is up.

Asks _cluster, lets _readiness judge, and collects for _diagnosis. Knows no options of a module and prints nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _diagnosis as diagnosis
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _readiness as readiness
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError, Unreachable
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._readiness import Object, Verdict

PODS_PAUSE = 5.0  # seconds between two looks at the pods of one object
LIST_FROM = 3  # with so many names of one kind and namespace, one list request is cheaper than a request for each
PODS_SHOWN = 3
NOT_SEEN = Verdict("waiting", "was not looked at yet")


class Reader(Protocol):
    """What is needed of _cluster.Cluster."""

    def objects(self, api_version: str, kind: str, namespace: str | None, **query: str) -> list[Object] | None:
        """Objects by name= or label_selector=, None while the kind is not served."""

    def events(self, namespace: str | None, kind: str, name: str) -> list[Object]:
        """Events about an object."""

    def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool = False) -> list[str]:
        """The last lines of a container's log, of its run before this one when `previous`."""


@dataclass(frozen=True)
class Target:
    """One object by its name, or at least `minimum` by a label selector."""

    api_version: str
    kind: str
    namespace: str | None = None
    name: str | None = None
    selector: str | None = None
    conditions: tuple[str, ...] = ()
    exists: bool = False
    minimum: int = 1

    def __str__(self) -> str:
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind} {place}{self.name or f'with labels {self.selector}'}"


@dataclass
class Watched:
    """A target and what was last seen of it. Times are seconds since the watch began."""

    target: Target
    verdict: Verdict = NOT_SEEN
    objects: list[Object] = field(default_factory=list)
    done_after: float | None = None
    failing_since: float | None = None
    pods_seen_at: float = -PODS_PAUSE

    def result(self) -> dict[str, Any]:
        target = self.target
        return {
            "api_version": target.api_version, "kind": target.kind, "namespace": target.namespace or "",
            "name": target.name or "", "label_selector": target.selector or "",
            "done": self.done_after is not None, "reason": self.verdict.reason,
            "seconds": None if self.done_after is None else round(self.done_after, 1),
            "status": self.objects[0].get("status", {}) if target.name and self.objects else {},
        }  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """All in seconds. An error that may pass counts as a failure when it lasts for `grace`."""

    timeout: float
    interval: float
    grace: float

    @classmethod
    def of(cls, options: dict[str, Any]) -> Limits:
        """From a module's options; no interval is so short that it would burden the API server."""
        return cls(options["timeout"], max(options["interval"], 0.1), options["error_grace"])


class Watch:
    """`state` is "ready" or "absent". Raises ClusterError when the API server refuses; bears one that is away."""

    def __init__(
        self, cluster: Reader, targets: list[Target], state: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.cluster, self.state, self.clock = cluster, state, clock
        self.watched = [Watched(target) for target in targets]
        self.started = clock()
        self.reached, self.away = False, ""

    def seconds(self) -> float:
        return self.clock() - self.started

    def open(self) -> list[Watched]:
        return [watched for watched in self.watched if watched.done_after is None]

    def run(self, limits: Limits) -> str:
        """ "done", "failed" or "timeout"."""
        while True:
            try:
                self.look()
                self.reached, self.away = True, ""
            except Unreachable as error:
                if not self.reached:
                    raise  # its address is wrong, rather than the server away for a moment
                self.away = str(error)
            if not self.open():
                return "done"
            if any(self.has_failed(watched, limits.grace) for watched in self.open()):
                return "failed"
            if self.seconds() + limits.interval > limits.timeout:
                return "timeout"
            time.sleep(limits.interval)

    def has_failed(self, watched: Watched, grace: float) -> bool:
        if watched.verdict.state == "failed":
            return True
        return watched.failing_since is not None and self.seconds() - watched.failing_since >= grace

    def look(self) -> None:
        snapshot = Snapshot(self.cluster, [watched.target for watched in self.open()])
        for watched in self.open():
            found = snapshot.objects(watched.target)
            verdict = self.gone(found) if self.state == "absent" else self.judge(watched, found)
            watched.objects, watched.verdict = found or [], verdict
            if verdict.state == "ready":
                watched.done_after = self.seconds()
            if verdict.state != "failing":
                watched.failing_since = None
            elif watched.failing_since is None:
                watched.failing_since = self.seconds()

    @staticmethod
    def gone(found: list[Object] | None) -> Verdict:
        if not found:
            return Verdict("ready", "is gone")
        metadata = found[0]["metadata"]
        asked = (
            "is being deleted"
            if metadata.get("deletionTimestamp")
            else "is still there, and nobody has asked to delete it"
        )
        return Verdict("waiting", asked + readiness.held_by(metadata))

    def judge(self, watched: Watched, found: list[Object] | None) -> Verdict:
        target = watched.target
        if found is None:
            return Verdict("waiting", f"the API server serves no {target.kind} of {target.api_version} yet")
        if len(found) < target.minimum:
            return Verdict(
                "waiting", "does not exist yet" if target.name else f"{len(found)} of {target.minimum} exist"
            )
        verdicts = [(obj, self.judge_deep(target, obj)) for obj in found]
        obj, worst = min(verdicts, key=lambda pair: readiness.RANK[pair[1].state])
        if worst.state == "waiting" and self.seconds() - watched.pods_seen_at >= PODS_PAUSE:
            watched.pods_seen_at = self.seconds()
            worst = self.stuck_pod(obj, worst)
        elif worst.state == "waiting" and watched.verdict.state == "failing":
            worst = watched.verdict  # pods are looked at less often than objects
        if target.name or worst.state == "ready":
            return worst
        return Verdict(worst.state, f"{obj['metadata']['name']} {worst.reason}")

    def judge_deep(self, target: Target, obj: Object) -> Verdict:
        verdict = readiness.judge(obj, list(target.conditions), target.exists)
        if verdict.state != "ready" or not verdict.then:
            return verdict
        api_version, kind, name = verdict.then
        found = self.cluster.objects(api_version, kind, obj["metadata"].get("namespace"), name=name)
        then = readiness.judge(found[0]) if found else Verdict("waiting", "does not exist yet")
        return then if then.state == "ready" else Verdict(then.state, f"its {kind} {name}: {then.reason}")

    def stuck_pod(self, obj: Object, verdict: Verdict) -> Verdict:
        for pod in self.pods_of(obj):
            trouble = readiness.container_trouble(pod)
            if trouble and trouble[0] in readiness.STUCK_REASONS:
                return Verdict("failing", f"{verdict.reason}; pod {pod['metadata']['name']}: {trouble[1]}")
        return verdict

    def pods_of(self, obj: Object) -> list[Object]:
        if obj["kind"] == "Pod":
            return [obj]
        selector, namespace = readiness.pod_selector(obj), obj["metadata"].get("namespace")
        return (
            (self.cluster.objects("v1", "Pod", namespace, label_selector=selector) or [])
            if selector and namespace
            else []
        )

    def reports(self, log_lines: int) -> list[diagnosis.Report]:
        """What is known of every target that is not done, the first ones in full."""
        found = sorted(self.open(), key=lambda watched: readiness.RANK[watched.verdict.state])
        return [
            self.report(watched, log_lines if number < diagnosis.SHOWN else None)
            for number, watched in enumerate(found)
        ]

    def report(self, watched: Watched, log_lines: int | None) -> diagnosis.Report:
        target, obj = watched.target, self.culprit(watched)
        name = obj["metadata"]["name"] if obj else target.name or ""
        look = diagnosis.describe_command(target.kind, readiness.group_of(target.api_version), name, target.namespace)
        reason = watched.verdict.reason + (f"; the API server is away: {self.away}" if self.away else "")
        if log_lines is None or not obj:
            return diagnosis.Report(str(target), reason, look)
        events = self.tolerate(lambda: diagnosis.last_events(self.cluster.events(target.namespace, target.kind, name)))
        pods = self.tolerate(lambda: [self.pod_report(pod, log_lines) for pod in self.broken_pods(obj)[:PODS_SHOWN]])
        return diagnosis.Report(str(target), reason, look, events, pods)

    def culprit(self, watched: Watched) -> Object | None:
        """The object of a target whose verdict is the worst."""
        objects = watched.objects
        return min(objects, key=lambda obj: readiness.RANK[readiness.judge(obj).state]) if objects else None

    def broken_pods(self, obj: Object) -> list[Object]:
        return [pod for pod in self.pods_of(obj) if readiness.judge(pod).state != "ready"]

    def pod_report(self, pod: Object, log_lines: int) -> diagnosis.PodReport:
        namespace, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
        container = diagnosis.silent_container(pod)
        previous = diagnosis.restarted(pod, container)
        log = self.tolerate(
            lambda: self.cluster.log(namespace, name, container, log_lines, previous) if log_lines else []
        )
        events = self.tolerate(lambda: diagnosis.last_events(self.cluster.events(namespace, "Pod", name)))
        return diagnosis.PodReport(name, readiness.judge(pod).reason, container, events, log)

    @staticmethod
    def tolerate(ask: Callable[[], list[Any]]) -> list[Any]:
        """A diagnosis must not fail for what may not be read, or is gone by now."""
        try:
            return ask()
        except ClusterError:
            return []


class Snapshot:
    """Objects of one look at the cluster; names that share kind and namespace are read by one request."""

    def __init__(self, cluster: Reader, targets: list[Target]) -> None:
        self.cluster = cluster
        self.sizes = Counter(self.group(target) for target in targets if target.name)
        self.lists: dict[Any, dict[str, Object] | None] = {}

    @staticmethod
    def group(target: Target) -> tuple[str, str, str | None]:
        return target.api_version, target.kind, target.namespace

    def objects(self, target: Target) -> list[Object] | None:
        group = self.group(target)
        if not target.name:
            return self.cluster.objects(*group, label_selector=target.selector or "")
        if self.sizes[group] < LIST_FROM:
            return self.cluster.objects(*group, name=target.name)
        if group not in self.lists:
            found = self.cluster.objects(*group)
            self.lists[group] = None if found is None else {obj["metadata"]["name"]: obj for obj in found}
        by_name = self.lists[group]
        return None if by_name is None else [by_name[target.name]] if target.name in by_name else []
