# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Has a hub manage a facility: writes its objects, imports it, approves its agent, and waits until it is in touch.

Lets _managed, _managed_verdicts and _managed_agents decide. Knows no options of a module and prints nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed as managed
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed_agents as agents
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed_verdicts as verdicts
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError, Unreachable
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_writes import Writer
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import Facility, Object, Refusal
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_facility import Place
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_hub import Hub
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_import import Manifests
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_verdicts import Seen, Verdict
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm_install import Changes
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._waiting import Limits

ASK_PAUSE = 5.0  # seconds between two looks at the facility
WITHOUT_PLACE = (
    "The hub shows nothing of a wrong token or of a way that is closed: give option facility to have its agent looked "
    "at, or look there with kubectl -n open-cluster-management-agent logs -l app=klusterlet-agent."
)


class Registration:
    """Raises Refusal and ClusterError."""

    def __init__(
        self, hub: Hub, writer: Writer, facility: Facility, place: Place | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.hub, self.writer, self.facility, self.place, self.clock = hub, writer, facility, place, clock
        self.started = clock()
        self.changes, self.approved = Changes(), []
        self.cluster: Object | None = None
        self.verdict, self.state_since = Verdict("waiting", "was not looked at yet"), 0.0
        self.manifests: Manifests | None = None
        self.asked_at, self.explanation = -ASK_PAUSE, ""
        self.known_agents: frozenset[str] = frozenset()

    def seconds(self) -> float:
        return self.clock() - self.started

    @property
    def name(self) -> str:
        return self.facility.name

    # What is written

    def prepare(self) -> None:
        """Refuses what cannot work before anything is written."""
        managed.check(self.facility)
        self.hub.check_served()
        self.cluster = self.hub.cluster(self.name)
        if self.is_to_be_imported():
            self.check_place()

    def is_to_be_imported(self) -> bool:
        return self.facility.import_by != "none" and self.facility.accept and not managed.works(self.cluster)

    def check_place(self) -> None:
        """The facility must be a free one. The hub may reach one that is out of reach from here."""
        if not self.place:
            raise Refusal(f"Facility {self.name}: import_by {self.facility.import_by} needs option facility.")
        try:
            klusterlet = self.place.klusterlet()
        except Unreachable as error:
            self.check_reach(error)
            return
        except ClusterError as error:
            self.check_reach(error, "401" in str(error) or "Unauthorized" in str(error))
            return
        called = ((klusterlet or {}).get("spec") or {}).get("clusterName")
        if called and called != self.name and self.facility.import_by != "hosted":
            raise Refusal(
                f"Facility {self.name}: its cluster should belong to no hub yet, but its Klusterlet is for {called}. "
                f"Detach {called} first (state absent), or check the address in option facility."
            )

    def check_reach(self, error: ClusterError, unauthorized: bool = False) -> None:
        if unauthorized:
            raise Refusal(
                f"Facility {self.name}: its API server refuses the credentials of option facility: the token is wrong "
                f"or has expired, and so it would be for the hub. {error}"
            )
        if not self.facility.by_secret:
            raise Refusal(
                f"Facility {self.name} is out of reach from here, where its manifests are to be applied from. {error} "
                "If the hub reaches it, use import_by auto_secret."
            )

    def write(self) -> None:
        to_be_imported = self.is_to_be_imported()
        lost = managed.holds(self.cluster, managed.JOINED)
        self.apply(managed.managed_cluster(self.facility), self.cluster)
        by_secret = self.facility.by_secret and (to_be_imported or self.facility.keep_secret)
        if self.facility.addons is not None or by_secret:
            self.write_in_namespace(by_secret)
        if to_be_imported and lost and not self.writer.dry:
            # Since ACM 2.14 the import controller imports a cluster once, unless it is told to.
            self.writer.merge(self.cluster, {"metadata": {"annotations": {f"{managed.IMPORT}/immediate-import": ""}}})
        if to_be_imported and self.facility.import_by == "manifests" and self.place:
            self.manifests = Manifests(self.hub, self.place, self.name, self.writer.dry)

    def write_in_namespace(self, by_secret: bool) -> None:
        exists = self.hub.namespace(self.name)
        if not exists:
            self.apply(managed.namespace(self.facility), None)
        possible = bool(exists) or not self.writer.dry  # not even a trial can be had where there is no namespace
        if self.facility.addons is not None:
            self.apply(managed.addon_config(self.facility), self.hub.addon_config(self.name), possible)
        if by_secret and self.place:
            secret = managed.auto_secret(self.facility, self.place.credentials())
            there = self.hub.auto_secret(self.name)
            if not managed.same_secret(there, secret):
                self.changes.note(secret, managed.shown(there), {**managed.shown(secret), "new": True})
                if possible:
                    self.writer.apply(secret)

    def apply(self, obj: Object, before: Object | None, possible: bool = True) -> None:
        after = self.writer.apply(obj) if possible else obj
        self.changes.note(obj, managed.shown(before), managed.shown({"kind": obj["kind"], **after}))

    # What is waited for

    def run(self, limits: Limits) -> bool:
        """Whether the facility is as asked for before time is up; ends early when nothing is left to wait for."""
        reached = False
        while True:
            try:
                self.look(limits)
                reached = True
            except Unreachable:
                if not reached:
                    raise  # its address is wrong, rather than the server away for a moment
            if self.verdict.state in ("ready", "failed") or self.fails_for(limits.grace):
                return self.verdict.state == "ready"
            if self.seconds() + limits.interval > limits.timeout:
                return False
            time.sleep(limits.interval)

    def fails_for(self, grace: float) -> bool:
        return self.verdict.state == "failing" and self.seconds() - self.state_since >= grace

    def look(self, limits: Limits) -> None:
        self.cluster = self.hub.cluster(self.name)
        requests = self.hub.requests(self.name)
        verdict = self.judge(requests)
        for csr in requests:
            if csr["metadata"]["name"] in verdict.approve:
                self.approve(csr)
        if self.manifests and verdict.state != "ready":
            self.manifests.go_on(self.changes)
        if verdict.silent and self.seconds() >= limits.grace / 2:
            verdict = self.ask_facility(verdict)
        if verdict.state != self.verdict.state:
            self.state_since = self.seconds()
        self.verdict = verdict

    def judge(self, requests: list[Object]) -> Verdict:
        """Who asks under a name that is taken may be the facility's own agent, which has lost its credentials."""
        verdict = verdicts.judge(self.facility, Seen(self.cluster, requests, self.known_agents))
        if verdict.taken and self.place and not self.known_agents:
            self.known_agents = self.own_agents()
            verdict = verdicts.judge(self.facility, Seen(self.cluster, requests, self.known_agents))
        return verdict

    def own_agents(self) -> frozenset[str]:
        try:
            klusterlet = self.place.klusterlet() if self.place else None
        except ClusterError:
            return frozenset()
        own = klusterlet and klusterlet["spec"].get("clusterName") == self.name
        return frozenset([klusterlet["metadata"]["uid"]]) if own else frozenset()

    def approve(self, csr: Object) -> None:
        name = csr["metadata"]["name"]
        if name in self.approved:
            return
        if not self.writer.dry:
            self.hub.approve(csr)
        self.approved.append(name)
        self.changes.note(csr, {"approved": False}, {"approved": True})

    def ask_facility(self, verdict: Verdict) -> Verdict:
        """What the hub does not show makes a failure of waiting."""
        if self.seconds() - self.asked_at >= ASK_PAUSE:
            self.asked_at, self.explanation = self.seconds(), self.explain()
        state = "failing" if self.explanation else verdict.state
        return Verdict(state, verdict.reason, verdict.approve, verdict.silent)

    def explain(self) -> str:
        if not self.place or self.facility.import_by == "hosted":
            return ""
        if self.manifests and not self.manifests.applied:
            return self.manifests.say_missing()
        try:
            return agents.explain(self.name, self.place.agent(), datetime.now(UTC))
        except ClusterError as error:
            return f"From here, the facility cannot be asked. {error}"

    def report(self) -> str:
        reason = f"Facility {self.name}: {self.verdict.reason.rstrip('.')}."
        if not self.verdict.silent:
            return reason
        more = self.explain() if self.place else WITHOUT_PLACE
        return f"{reason} {more}".rstrip()

    def result(self) -> dict[str, Any]:
        cluster = self.cluster
        conditions = managed.status(cluster).get("conditions") or []
        kinds = {"accepted": managed.ACCEPTED, "joined": managed.JOINED, "clock_synced": managed.CLOCK}
        told = {key: managed.holds(cluster, kind) for key, kind in kinds.items()}
        metadata = (cluster or {}).get("metadata") or {}
        return {
            "name": self.name, **told, "available": managed.works(cluster),
            "labels": metadata.get("labels") or {}, "conditions": conditions,
            "reason": self.verdict.reason,
            "kubernetes": (managed.status(cluster).get("version") or {}).get("kubernetes"),
        }  # fmt: skip
