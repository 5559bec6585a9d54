# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Has OLM install operators: applies their objects, approves their InstallPlans, and waits for all of them at once.

Lets _olm and _olm_verdicts decide. Knows no options of a module and prints nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _diagnosis as diagnosis
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _olm as olm
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _olm_verdicts as verdicts
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError, Unreachable
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_writes import Writer, say
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm import Object, Operator, Place, status
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_cluster import Olm
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_verdicts import Seen, Verdict
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._waiting import Limits, Target, Watch

# After it installed a version, OLM says for a moment that there is nothing newer.
SETTLE = 5.0  # seconds
NOT_SEEN = Verdict("waiting", "was not looked at yet")


@dataclass
class Track:
    """An operator and what was last seen of it. Times are seconds since the beginning."""

    operator: Operator
    place: Place
    verdict: Verdict = NOT_SEEN
    state_since: float = 0.0
    ended: bool = False


class Changes:
    """What was written, or would be, for the module's diff."""

    def __init__(self) -> None:
        self.before: dict[str, Any] = {}
        self.after: dict[str, Any] = {}

    def note(self, obj: Object, before: Any, after: Any) -> None:
        if before != after:
            self.before.setdefault(say(obj), before)
            self.after[say(obj)] = after

    def diff(self) -> dict[str, Any]:
        return {"before": self.before, "after": self.after}


class Installation:
    """Raises Refusal and ClusterError."""

    def __init__(
        self, api: Olm, writer: Writer, operators: list[Operator], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.api, self.writer, self.operators, self.clock = api, writer, operators, clock
        self.started = clock()
        self.changes, self.approved = Changes(), []
        self.tracks: list[Track] = []

    def seconds(self) -> float:
        return self.clock() - self.started

    def prepare(self) -> None:
        """Refuses what cannot work before anything is written."""
        olm.check_options(self.operators)
        self.api.check_served()
        places = self.places()
        self.tracks = [Track(operator, places[operator.namespace]) for operator in self.operators]
        for track in self.tracks:
            olm.check_group(track.operator, track.place)
            olm.check_manifest(track.operator, track.place, self.api.manifest(track.operator))

    def places(self) -> dict[str, Place]:
        return {name: self.api.place(name) for name in dict.fromkeys(entry.namespace for entry in self.operators)}

    def write(self) -> None:
        places = {track.place.name: track.place for track in self.tracks}
        for obj in olm.objects_of(self.operators, places):
            place = places[obj["metadata"].get("namespace", obj["metadata"]["name"])]
            before = olm.named(place.subscriptions, obj["metadata"]["name"]) if obj["kind"] == "Subscription" else None
            # Not even a trial can be had in a namespace that is not there.
            tried = obj if self.writer.dry and not place.exists else self.writer.apply(obj)
            self.changes.note(obj, before and before["spec"], tried.get("spec") or {})

    def run(self, limits: Limits) -> bool:
        """Whether all operators work before time is up; ends early when nothing is left to wait for."""
        reached = False
        while True:
            try:
                self.look(limits.grace)
                reached = True
            except Unreachable:
                if not reached:
                    raise  # its address is wrong, rather than the server away for a moment
            if all(track.ended for track in self.tracks):
                return all(track.verdict.state == "ready" for track in self.tracks)
            if self.seconds() + limits.interval > limits.timeout:
                return False
            time.sleep(limits.interval)

    def look(self, grace: float) -> None:
        places, catalogs = self.places(), self.api.catalogs()
        for track in self.tracks:
            track.place = places[track.operator.namespace]
            verdict = verdicts.judge(track.operator, self.operators, Seen(track.place, catalogs))
            if verdict.state != track.verdict.state:
                track.state_since = self.seconds()
            track.verdict = verdict
            track.ended = self.has_ended(track, grace)
            if verdict.approve:
                self.approve(track.place, verdict.approve)

    def has_ended(self, track: Track, grace: float) -> bool:
        state, lasted = track.verdict.state, self.seconds() - track.state_since
        if state == "ready":
            return lasted >= SETTLE or not self.may_go_on(track)
        return state == "failed" or (state == "failing" and lasted >= grace)

    def may_go_on(self, track: Track) -> bool:
        """Whether OLM may be about to find a newer version, which is asked for, after it installed this one."""
        operator = track.operator
        if not operator.upgrade and not operator.starting_csv:
            return False
        return operator.follows and bool(self.changes.after or verdicts.is_new(operator, track.place))

    def approve(self, place: Place, name: str) -> None:
        plan = olm.named(place.plans, name)
        if name in self.approved or not plan:
            return
        self.writer.merge(plan, {"spec": {"approved": True}})
        self.approved.append(name)
        csvs = plan["spec"].get("clusterServiceVersionNames")
        self.changes.note(plan, {"approved": False, "csvs": csvs}, {"approved": True, "csvs": csvs})

    def report(self, log_lines: int) -> str:
        """A paragraph for each operator that does not work."""
        broken = [track for track in self.tracks if track.verdict.state != "ready"]
        return "\n".join(line for track in broken for line in self.say(track, log_lines))

    def say(self, track: Track, log_lines: int) -> list[str]:
        operator, verdict = track.operator, track.verdict
        more = ""
        if verdict.unknown:
            more = verdicts.available(operator, self.api.manifests(operator))
        return [f"Operator {operator}: {verdict.reason}{more}", *self.pods(track, log_lines)]

    def pods(self, track: Track, log_lines: int) -> list[str]:
        """What the pods of the CSV say that is not in order."""
        csv = track.place.csv_of(track.place.subscription(track.operator.package))
        if not csv or status(csv).get("phase") == "Succeeded":
            return []
        target = Target(csv["apiVersion"], csv["kind"], track.place.name, csv["metadata"]["name"])
        watch = Watch(self.api.cluster, [target], "ready")
        try:
            watch.look()
        except ClusterError:
            return []
        # Its first line would say once more how the CSV is.
        return [line for report in watch.reports(log_lines) for line in diagnosis.say_report(report)[1:]]

    def results(self) -> list[dict[str, Any]]:
        return [result(track) for track in self.tracks]


def result(track: Track) -> dict[str, Any]:
    subscription = track.place.subscription(track.operator.package)
    now = status(subscription)
    installed, following = now.get("installedCSV") or "", now.get("currentCSV") or ""
    return {
        "package": track.operator.package, "namespace": track.operator.namespace,
        "subscription": subscription["metadata"]["name"] if subscription else "",
        "installed_csv": installed, "phase": status(track.place.csv(installed)).get("phase") or "",
        "newer_csv": following if following != installed else "",
        "done": track.verdict.state == "ready", "reason": track.verdict.reason,
    }  # fmt: skip
