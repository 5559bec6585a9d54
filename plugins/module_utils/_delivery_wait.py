# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Waits until an Application of Argo CD has a commit. What it judges by is in _delivery."""

from __future__ import annotations

import time
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _delivery as delivery
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_writes import Writer
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._git import Repository
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._readiness import Verdict

APPLICATION = "argoproj.io/v1alpha1"
PAUSE = 1.0
ASK_AGAIN = 10.0


class Wait:
    """For one Application to have a commit."""

    def __init__(self, cluster: Cluster, repository: Repository, commit: str, options: dict[str, Any]) -> None:
        self.cluster, self.repository, self.commit, self.options = cluster, repository, commit, options
        self.began = time.monotonic()
        self.asked: float | None = None

    def run(self) -> dict:
        """What came of it. Raises ClusterError with what was seen last."""
        failing_since = None
        while (verdict := self.look()).state != "ready":
            seconds = time.monotonic() - self.began
            if verdict.state != "failing":
                failing_since = None
            elif failing_since is None:
                failing_since = seconds
            lasts = failing_since is not None and seconds - failing_since >= self.options["error_grace"]
            if lasts or seconds > self.options["timeout"]:
                raise ClusterError(self.say(verdict, lasts, round(seconds)))
            time.sleep(PAUSE)
        healed, when = delivery.healed(self.application() or {})
        return {"seconds": round(time.monotonic() - self.began, 1), "healed": healed, "healed_at": when}

    def look(self) -> Verdict:
        application = self.application()
        verdict = delivery.judge(application, self.holds, self.options["healthy"])
        if application is None or not self.is_to_ask(verdict):
            return verdict
        self.asked = time.monotonic()
        self.ask_for_a_look(application)
        return Verdict("waiting", delivery.NOT_LOOKED)

    def is_to_ask(self, verdict: Verdict) -> bool:
        if self.asked is None:
            return verdict.state != "ready"
        return verdict.state == "waiting" and time.monotonic() - self.asked > ASK_AGAIN

    def application(self) -> dict | None:
        place, name = self.options["application_namespace"], self.options["application"]
        found = self.cluster.objects(APPLICATION, "Application", place, name=name)
        if found is None:
            raise ClusterError(
                f"Expected Argo CD on the hub at {self.cluster.address()}, but it serves no Application of "
                f"{APPLICATION}. Run playbooks/hub.yml with gitops_repository set."
            )
        return found[0] if found else None

    def holds(self, revision: str) -> bool:
        return self.repository.contains(self.commit, revision)

    def ask_for_a_look(self, application: dict) -> None:
        """Argo CD polls every three minutes otherwise, and remembers for as long where a branch was."""
        change = {"metadata": {"annotations": {delivery.REFRESH: "normal"}}}
        Writer(self.cluster, "xraylab", dry_run=False).merge(application, change)

    def say(self, verdict: Verdict, lasts: bool, seconds: int) -> str:
        options = self.options
        name = f"Application {options['application_namespace']}/{options['application']}"
        wanted = "Synced and Healthy" if options["healthy"] else "Synced"
        how = "The error does not pass." if lasts else "The time for it is up (option timeout)."
        return (
            f"Expected {name} to be {wanted} at commit {self.commit[:10]} of {options['repository']}, folder "
            f"{options['folder']}, but after {seconds} s it {verdict.reason}. {how} Look at: kubectl -n "
            f"{options['application_namespace']} describe applications.argoproj.io {options['application']}"
        )
