# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Says by what a facility shows why its agent does not reach the hub: Klusterlet, bootstrap secret, the agent's log.

Pure. The hub shows none of it: a wrong token leaves no trace there, nor does a hub that cannot be reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed_access as access
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import Object, condition

SIGNS = (
    (re.compile(r"not yet valid|current time \S+ is (?:before|after)"), "clock"),
    (re.compile(r"x509: \S.*"), "authority"),
    (re.compile(r"\bUnauthorized\b|must be logged in"), "token"),
    (re.compile(r"connection refused|no such host|i/o timeout|no route to host|network is unreachable"), "unreachable"),
    (re.compile(r"deadline exceeded|context deadline|TLS handshake timeout"), "unreachable"),
)
FAULT = re.compile(r"^[EF]\d{4} |\"?level\"?[:=]\"?error|Unauthorized|refused|x509")


@dataclass(frozen=True)
class Agent:
    """What one look at the facility gave."""

    klusterlet: Object | None
    bootstrap: access.Config | None = None
    """The kubeconfig that the agent first goes to the hub with."""
    log: list[str] = field(default_factory=list)
    pods: list[str] = field(default_factory=list)
    """Sentences on pods that do not run."""


def explain(name: str, agent: Agent, now: datetime) -> str:
    """The best sentence there is on why this agent does not reach the hub; "" when nothing is wrong there."""
    return next(troubles(name, agent, now), "")


def troubles(name: str, agent: Agent, now: datetime) -> Iterator[str]:
    klusterlet = agent.klusterlet
    if not klusterlet:
        yield (
            "On the facility there is no Klusterlet, so no agent: the import did not get there. Apply the manifests "
            f"of Secret {name}/{name}-import of the hub (import_by manifests does), or give credentials (auto_secret)."
        )
        return
    called = (klusterlet.get("spec") or {}).get("clusterName")
    if called and called != name:
        yield (
            f"The facility's Klusterlet should be for {name}, but is for {called}: this cluster is registered under "
            f"that name already. Detach {called} first, or check the facility's address."
        )
    yield from bootstrap_troubles(agent, now)
    yield from connection_troubles(agent)
    yield from agent.pods
    line = last_fault(agent.log)
    if line:
        yield f"The agent's log on the facility ends with: {line}"


def bootstrap_troubles(agent: Agent, now: datetime) -> Iterator[str]:
    config = agent.bootstrap
    if not config or has_credentials(agent.klusterlet):
        return
    ends = access.token_expiry(access.user_of(config).get("token"))
    if ends and ends <= now:
        yield (
            f"The token in Secret bootstrap-hub-kubeconfig of the facility expired at {ends:%Y-%m-%d %H:%M} UTC, "
            "before the agent had joined. Take new manifests from the hub and apply them at once, or run this module "
            "with import_by manifests or auto_secret."
        )


def has_credentials(klusterlet: Object | None) -> bool:
    return condition(klusterlet, "HubConnectionDegraded").get("status") == "False"


def connection_troubles(agent: Agent) -> Iterator[str]:
    """The log first: it names the error, where the Klusterlet has a class of errors."""
    degraded = condition(agent.klusterlet, "HubConnectionDegraded")
    told = degraded.get("message") or "" if degraded.get("status") == "True" else ""
    faults = [line for line in reversed(agent.log) if FAULT.search(line)] + told.splitlines()
    for line in faults:
        for pattern, kind in SIGNS:
            if pattern.search(line):
                yield f"{cure(kind, agent)} Seen on the facility: {short(line)}"
    if told:
        yield f"The facility's Klusterlet says {degraded.get('reason')}: {short(told)}"


def cure(kind: str, agent: Agent) -> str:
    config = agent.bootstrap
    server = access.cluster_of(config).get("server", "") if config else ""
    hub = f"the hub{' at ' + server if server else ''}"
    return {
        "clock": f"The clocks of the facility and of {hub} should agree, but a certificate seems outside of its time. "
        "Set both by NTP (chronyc tracking).",
        "authority": f"The agent does not trust the certificate of {hub}: the authority in Secret "
        "bootstrap-hub-kubeconfig is an old or a wrong one. Import the facility again.",
        "token": f"The agent should get in with the token of Secret bootstrap-hub-kubeconfig, but {hub} refuses it: it "
        "is wrong or has expired. Import the facility again, which brings a new one.",
        "unreachable": f"The facility does not reach {hub}. Check DNS, routes, proxy and firewalls from the facility "
        "to that address, and that the address is one for use from outside.",
    }[kind]


def last_fault(log: list[str]) -> str:
    return short(next((line for line in reversed(log) if FAULT.search(line)), ""))


def short(line: str, limit: int = 400) -> str:
    """Causes stand at the end of an error, and what was done at its beginning."""
    return line if len(line) <= limit else f"{line[: limit // 4]} ... {line[-(limit - limit // 4) :]}"
