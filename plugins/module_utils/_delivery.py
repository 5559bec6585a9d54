# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What delivery by Git comes to: which files differ, and whether an Application of Argo CD has them. Pure.

Health alone says nothing: Argo CD calls an Application with a broken source Healthy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._readiness import Verdict, value_at

Object = dict[str, Any]
REFRESH = "argocd.argoproj.io/refresh"
NOT_LOOKED = "was not looked at by its controller yet"


def changes(now: dict[str, str], wanted: dict[str, str], absent: list[str], purge: bool) -> dict[str, str | None]:
    """What to write, by path; None removes a file."""
    gone = [name for name in now if name not in wanted and (purge or name in absent)]
    return {name: text for name, text in wanted.items() if now.get(name) != text} | dict.fromkeys(gone)


def diff(now: dict[str, str], found: dict[str, str | None], folder: str) -> list[dict[str, str]]:
    return [
        {
            "before_header": f"{folder}/{name}", "after_header": f"{folder}/{name}",
            "before": now.get(name, ""), "after": text or "",
        }
        for name, text in sorted(found.items())
    ]  # fmt: skip


def judge(application: Object | None, holds: Callable[[str], bool], healthy: bool) -> Verdict:
    """`holds` tells of a revision whether it has the wanted commit in it."""
    if application is None:
        return Verdict("waiting", "does not exist; its ApplicationSet makes it once the facility is bound")
    if REFRESH in (application["metadata"].get("annotations") or {}):
        return Verdict("waiting", NOT_LOOKED)
    if problem := complaint(application):
        return Verdict("failing", problem)
    revision = value_at(application, "status.sync.revision")
    if not revision or not holds(revision):
        return Verdict("waiting", f"is at revision {revision or 'none'}")
    phase = value_at(application, "status.operationState.phase")
    if value_at(application, "status.sync.status") != "Synced" or phase not in ("Succeeded", ""):
        told = "; ".join([operation(application), *refused(application)])
        return Verdict("waiting", f"is {value_at(application, 'status.sync.status')}, {told}")
    health = value_at(application, "status.health.status")
    if healthy and health != "Healthy":
        return Verdict(
            "waiting", f"is Synced, but {health}: {', '.join(ailing(application)) or 'no resource says why'}"
        )
    return Verdict("ready", "is Synced" + (" and Healthy" if healthy else ""))


def complaint(application: Object) -> str:
    """What Argo CD says is wrong, with the cure; "" when it says nothing."""
    for condition in value_at(application, "status.conditions") or []:
        kind, message = condition["type"], condition.get("message", "")
        if kind.endswith("Error"):
            return f"has {kind}: {message.rstrip('.')}. {cure(kind, message)}"
    if value_at(application, "status.operationState.phase") in ("Failed", "Error"):
        told = "; ".join(refused(application))
        return f"could not be synchronized: {operation(application)}{told and ' - ' + told}. {cure('SyncError', told)}"
    return ""


def cure(kind: str, message: str) -> str:
    """Where to look, by what Argo CD's messages hold."""
    for words, advice in CURES:
        if words in message:
            return advice
    return "Look at all of its status.conditions." if kind != "SyncError" else "Look at its operationState."


CURES = (
    ("app path does not exist", "The branch has no such folder: check gitops_branch and the facility's name."),
    ("unable to resolve", "The repository has no such branch: check gitops_branch."),
    ("repository not found", "Check gitops_repository, as Argo CD's repo server reaches it."),
    ("authentication required", "Argo CD may not read the repository: check gitops_username and gitops_password."),
    ("failed to list refs", "Argo CD's repo server can't read the repository: check that it reaches its address."),
    ("no clusters with this name", "The facility is not bound to Argo CD: run playbooks/site.yml on it."),
    ("which does not exist", "Argo CD has no such project: run playbooks/hub.yml."),
    ("allowed destinations", "The project does not allow this namespace: check gitops_facility_namespaces."),
    ("is not permitted in project", "The project does not allow this: look at the AppProject's lists."),
    ("is forbidden", "Argo CD's account at the facility lacks a right: look at its Role there."),
)


def operation(application: Object) -> str:
    """How the last synchronization went."""
    state = value_at(application, "status.operationState")
    return f"operation {state['phase']}: {state.get('message', '')}".rstrip(": ") if state else "no operation yet"


def refused(application: Object) -> list[str]:
    """Resources that the last synchronization could not apply."""
    resources = value_at(application, "status.operationState.syncResult.resources") or []
    return [
        f"{entry['kind']} {entry['name']}: {entry.get('message', '')}"
        for entry in resources
        if entry.get("status") == "SyncFailed"
    ]


def healed(application: Object) -> tuple[list[str], str]:
    """What the last synchronization put back, and when, if it was one that heals."""
    state = value_at(application, "status.operationState") or {}
    sync = value_at(application, "status.operationState.operation.sync") or {}
    if not sync.get("autoHealAttemptsCount") or state.get("phase") != "Succeeded":
        return [], ""
    return [f"{entry['kind']} {entry['name']}" for entry in sync.get("resources") or []], state.get("finishedAt", "")


def ailing(application: Object) -> list[str]:
    """Resources that keep an Application from being Healthy."""
    return [
        f"{entry['kind']} {entry['name']} is {entry['health']['status']}"
        for entry in value_at(application, "status.resources") or []
        if (entry.get("health") or {}).get("status", "Healthy") != "Healthy"
    ]
