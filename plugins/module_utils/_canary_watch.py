# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Watches the logs of two revisions' pods until _canary has a verdict. Knows no options of a module."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._canary import (
    CONTAINER,
    Limits,
    Tally,
    Verdict,
    judge,
    tally,
    trouble,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import NotThere, Unreachable
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._readiness import Object
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._waiting import Reader

LINES = 5000  # of a pod's log at each look


class Revision:
    """What a revision's pods logged, also those that are gone by now: a line holds its time and study, so it is one."""

    def __init__(self, cluster: Reader, namespace: str, name: str) -> None:
        self.cluster, self.namespace, self.name = cluster, namespace, name
        self.pods: list[Object] = []
        self.lines: dict[str, None] = {}

    def look(self) -> None:
        selector = f"serving.knative.dev/revision={self.name}"
        self.pods = self.cluster.objects("v1", "Pod", self.namespace, label_selector=selector) or []
        for pod in self.pods:
            self.lines |= dict.fromkeys(self.log(pod))

    def log(self, pod: Object) -> list[str]:
        statuses = pod.get("status", {}).get("containerStatuses") or []
        if not any(one["name"] == CONTAINER and "waiting" not in one.get("state", {}) for one in statuses):
            return []
        try:
            return self.cluster.log(self.namespace, pod["metadata"]["name"], CONTAINER, LINES)
        except NotThere:
            return []


class Watch:
    """Methods raise ClusterError."""

    def __init__(self, canary: Revision, kept: Revision, limits: Limits) -> None:
        self.canary, self.kept, self.limits = canary, kept, limits
        kept.look()
        self.before = set(kept.lines)
        self.started = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self.started

    def look(self, over: bool) -> Verdict:
        self.canary.look()
        self.kept.look()
        return judge(tally(self.canary.lines), self.meanwhile(), trouble(self.canary.pods), self.limits, over)

    def meanwhile(self) -> Tally:
        return tally(line for line in self.kept.lines if line not in self.before)

    def run(self, timeout: float, interval: float) -> Verdict:
        """A verdict that is not to wait. Bears an API server that is away for a moment."""
        while True:
            over = self.seconds() >= timeout
            try:
                verdict = self.look(over)
                if verdict.state != "wait":
                    return verdict
            except Unreachable:
                if over:  # what it did last is not known, so nothing speaks for it
                    raise
            time.sleep(min(interval, max(0.1, timeout - self.seconds())))

    def result(self, verdict: Verdict) -> dict[str, Any]:
        return {
            "verdict": verdict.state,
            "reason": verdict.reason,
            "canary": tally(self.canary.lines).result(),
            "kept": self.meanwhile().result(),
            "seconds": round(self.seconds(), 1),
        }
