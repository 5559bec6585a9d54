# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Puts into words what is known of objects that did not become ready. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
SHOWN = 5  # objects told about in full; the others by name


@dataclass(frozen=True)
class PodReport:
    """A pod that does not work, its last events, and the last lines of the log of its container."""

    name: str
    reason: str
    container: str = ""
    events: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Report:
    """An object that is not ready. `name` is "Kind namespace/name"; `look` is a command."""

    name: str
    reason: str
    look: str
    events: list[str] = field(default_factory=list)
    pods: list[PodReport] = field(default_factory=list)


def say_event(event: Object) -> str:
    count = event.get("count") or (event.get("series") or {}).get("count") or 1
    times = f" ({count} times)" if count > 1 else ""
    return f"{event.get('type', '')} {event.get('reason', '')}: {(event.get('message') or '').strip()}{times}"


def last_events(events: list[Object], limit: int = 3) -> list[str]:
    """The newest events as sentences, oldest first, warnings before anything else."""
    warnings = [event for event in events if event.get("type") == "Warning"] or events
    return [say_event(event) for event in sorted(warnings, key=moment)[-limit:]]


def moment(event: Object) -> str:
    times = event.get("lastTimestamp"), event.get("eventTime"), event["metadata"].get("creationTimestamp")
    return next((time for time in times if time), "")


def restarted(pod: Object, container: str) -> bool:
    statuses = (pod.get("status") or {}).get("containerStatuses") or []
    return any(entry["name"] == container and entry.get("restartCount") for entry in statuses)


def silent_container(pod: Object) -> str:
    """The container whose log tells most: of those not ready the one that is down or restarted most, else the first.

    A sidecar such as Knative's queue-proxy runs on and only waits for the one that crashes.
    """
    statuses = [e for e in (pod.get("status") or {}).get("containerStatuses") or [] if not e.get("ready")]
    if not statuses:
        return pod["spec"]["containers"][0]["name"]
    worst = max(statuses, key=lambda e: ("running" not in e.get("state", {}), e.get("restartCount", 0)))
    return worst["name"]


def describe_command(kind: str, group: str, name: str, namespace: str | None) -> str:
    place = f"-n {namespace} " if namespace else ""
    return f"kubectl {place}describe {kind.lower()}{'.' + group if group else ''} {name}".rstrip()


def failure(headline: str, reports: list[Report]) -> str:
    lines = [headline]
    for report in reports[:SHOWN]:
        lines += say_report(report)
    rest = reports[SHOWN:]
    if rest:
        lines.append(f"Not ready either: {', '.join(report.name for report in rest)}.")
    return "\n".join(lines)


def say_report(report: Report) -> list[str]:
    lines = [f"{report.name}: {report.reason}"]
    lines += [f"  event: {event}" for event in report.events]
    for pod in report.pods:
        lines.append(f"  pod {pod.name}: {pod.reason}")
        lines += [f"    event: {event}" for event in pod.events]
        lines += [f"    log of {pod.container}: {line}" for line in pod.log]
    return [*lines, f"  look with: {report.look}"]


def headline(state: str, seconds: int, total: int, reports: list[Report], ended: str) -> str:
    objects = "object" if total == 1 else "objects"
    wanted = "to be ready" if state == "ready" else "to be gone"
    verb = "is" if len(reports) == 1 else "are"
    return f"Waited {seconds} s for {total} {objects} {wanted}; {len(reports)} {verb} not. {ended}"
