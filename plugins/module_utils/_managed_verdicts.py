# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges by the hub how far a facility's registration is, and which requests for certificates may be approved. Pure.

Much shows nothing on the hub: _managed_agents judges what the facility shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed as managed
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import (
    ACCEPTED,
    AVAILABLE,
    CLOCK,
    IMPORTED,
    JOINED,
    SIGNER,
    Facility,
    Object,
    condition,
    holds,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed_access import agent_of

OUT_OF_REACH = (
    "refused", "connect call failed", "cannot connect", "timeout", "timed out", "no such host", "no route", "deadline",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """`state` is ready, waiting, failing (may pass) or failed; `approve` names CSRs that are asked for.

    `silent` tells that only the facility can say more, `taken` that several agents go by its name.
    """

    state: str
    reason: str
    approve: tuple[str, ...] = ()
    silent: bool = False
    taken: bool = False


@dataclass(frozen=True)
class Seen:
    """What one look at the hub gave: the ManagedCluster, and all CSRs that carry its name."""

    cluster: Object | None
    requests: list[Object] = field(default_factory=list)
    known_agents: frozenset[str] = frozenset()
    """Agents that are the facility's own for sure, as it says itself."""


@dataclass(frozen=True)
class Request:
    """A CSR, read."""

    name: str
    user: str
    cluster: str
    agent: str
    state: str

    @classmethod
    def of(cls, csr: Object) -> Request:
        spec, kinds = csr["spec"], {entry["type"] for entry in managed.status(csr).get("conditions") or []}
        state = "denied" if "Denied" in kinds else "approved" if "Approved" in kinds else "pending"
        cluster, agent = agent_of(spec.get("request"))
        if spec.get("signerName") != SIGNER:
            cluster = ""
        return cls(csr["metadata"]["name"], spec.get("username") or "", cluster, agent, state)


def judge(facility: Facility, seen: Seen) -> Verdict:
    cluster = seen.cluster
    if not cluster:
        return Verdict("waiting", "its ManagedCluster does not exist yet", silent=True)
    if cluster["metadata"].get("deletionTimestamp"):
        return Verdict("failed", say_deleting(facility, cluster))
    requests = [Request.of(csr) for csr in seen.requests]
    if trouble := next(request_troubles(facility, seen, requests), None):
        return trouble
    if not facility.accept and not facility.is_hub:
        return judge_denial(cluster)
    approve = tuple(entry.name for entry in requests if entry.state == "pending" and is_own(facility, entry))
    if approve:
        return Verdict("waiting", f"CSR {', '.join(approve)} of its agent is to be approved", approve)
    return next(troubles(cluster, requests), None) or judge_health(cluster)


def is_own(facility: Facility, request: Request) -> bool:
    return request.user in facility.users() and request.cluster == facility.name


def renews(facility: Facility, request: Request) -> bool:
    """Whether a joined agent asks for its next certificate, which the hub approves by itself."""
    return request.user == f"system:open-cluster-management:{facility.name}:{request.agent}"


def request_troubles(facility: Facility, seen: Seen, requests: list[Request]) -> Iterator[Verdict]:
    """CSRs that must not be approved without a look."""
    pending = [entry for entry in requests if entry.state == "pending" and not renews(facility, entry)]
    strange = [entry for entry in pending if not is_own(facility, entry)]
    own = [entry for entry in pending if is_own(facility, entry)]
    agents = {entry.agent for entry in own} - seen.known_agents
    if managed.works(seen.cluster) and agents:
        yield Verdict(
            "failing", say_taken(facility, own, "while the cluster of that name is joined and answers"), taken=True
        )
    elif len(agents) > 1:
        yield Verdict("failing", say_taken(facility, own, "and only one of them can be meant"), taken=True)
    if strange and not managed.works(seen.cluster):
        yield Verdict("failing", say_stranger(facility, strange[0]))
    denied = [entry for entry in requests if entry.state == "denied"]
    if denied and not holds(seen.cluster, JOINED) and not own:
        yield Verdict(
            "failing",
            f"CSR {denied[0].name} of its agent should be approved, but somebody denied it. If that was a mistake, "
            f"delete it (kubectl delete csr {denied[0].name}) and restart the agent on the facility.",
        )


def say_taken(facility: Facility, own: list[Request], why: str) -> str:
    told = ", ".join(f"{entry.name} of agent {entry.agent}" for entry in own)
    return (
        f"one agent is expected to call itself {facility.name}, but CSR {told} asks to be let in under this name, "
        f"{why}. The name is taken: register the other cluster under a name of its own (spec.clusterName of its "
        f"Klusterlet), and delete the CSR (kubectl delete csr {' '.join(entry.name for entry in own)}). If the "
        "facility was installed anew, detach it first (state absent)."
    )


def say_stranger(facility: Facility, request: Request) -> str:
    if request.cluster != facility.name:
        asks = f"a certificate for {request.cluster or 'something else'}"
        return (
            f"CSR {request.name} carries the name {facility.name}, but asks for {asks} as user {request.user}. It "
            f"is left pending: find out who made it, and delete it (kubectl delete csr {request.name})."
        )
    return (
        f"CSR {request.name} is pending: it should come from {' or '.join(facility.users())}, but it comes from "
        f"{request.user}. If the facility was registered by this user on purpose, give it as bootstrap_users; "
        f"otherwise delete it (kubectl delete csr {request.name})."
    )


def say_deleting(facility: Facility, cluster: Object) -> str:
    told = condition(cluster, "Deleting")
    why = f" ({told.get('reason')}: {told.get('message')})" if told else ""
    return (
        f"its ManagedCluster is being deleted since {cluster['metadata']['deletionTimestamp']}{why}. Wait until it is "
        f"gone, or end it with state absent and force: then register {facility.name} again."
    )


def judge_denial(cluster: Object) -> Verdict:
    told = condition(cluster, ACCEPTED)
    if (cluster.get("spec") or {}).get("hubAcceptsClient"):
        return Verdict("waiting", "the hub is to accept it no more")
    if told.get("status") == "True":
        return Verdict("waiting", "the hub has not taken away its rights yet")
    return Verdict("ready", "is registered, but not accepted, as it is asked for")


def troubles(cluster: Object, requests: list[Request]) -> Iterator[Verdict]:
    """What stops a registration, the surest sign first."""
    if not managed.works(cluster):
        yield from import_troubles(condition(cluster, IMPORTED))
    if not (cluster.get("spec") or {}).get("hubAcceptsClient"):
        yield Verdict(
            "failing",
            "the hub should accept it, but spec.hubAcceptsClient of its ManagedCluster is false, so the hub says "
            "nothing of it at all. Set accept, and let the user have the right to update managedclusters/accept.",
        )
    if condition(cluster, ACCEPTED).get("status") == "False":
        yield Verdict(
            "failing",
            f"the hub should accept it, but says {say(condition(cluster, ACCEPTED))}; that it was available before "
            "means nothing. Look at the log of the hub's registration controller.",
        )
    if not holds(cluster, ACCEPTED):
        yield Verdict("waiting", "the hub has not taken up its acceptance yet")
    if not holds(cluster, JOINED):
        yield judge_absence(requests)


def import_troubles(told: dict[str, Any]) -> Iterator[Verdict]:
    """ManagedClusterImportSucceeded is False while the import runs or waits for somebody as well."""
    reason, message = told.get("reason") or "", (told.get("message") or "").strip()
    if told.get("status") == "False" and ("Fail" in reason or "Error" in reason):
        yield Verdict("failing", f"the hub should import it, but says {say(told)}. {import_cure(message)}")


def import_cure(message: str) -> str:
    lower = message.lower()
    if any(sign in lower for sign in ("unauthorized", "credentials", "forbidden")):
        return (
            "The facility refuses the credentials of auto-import-secret: the token is wrong, has expired or has not "
            "the rights of a cluster administrator. Give facility ones that are good."
        )
    if "x509" in lower:
        return "The facility's certificate is not signed by the authority of the given kubeconfig: correct it."
    if any(sign in lower for sign in OUT_OF_REACH):
        return (
            "The hub does not reach the facility's API server: check its address as the hub sees it (facility.hub_url) "
            "and the firewalls, or use import_by manifests, which needs no way from the hub to the facility."
        )
    return "Look at the log of the import controller on the hub."


def judge_absence(requests: list[Request]) -> Verdict:
    approved = [entry.name for entry in requests if entry.state == "approved"]
    if approved:
        reason = f"its agent has not joined yet, although CSR {approved[-1]} is approved"
        return Verdict(
            "waiting", f"{reason}; an agent that was accepted late tries again after up to a minute", silent=True
        )
    return Verdict(
        "waiting", "no CSR of its agent has come to the hub yet, which shows nothing of the reason", silent=True
    )


def judge_health(cluster: Object) -> Verdict:
    clock, available = condition(cluster, CLOCK), condition(cluster, AVAILABLE)
    if clock.get("status") == "False":
        return Verdict(
            "failing",
            f"its clock and the hub's should agree, but the hub says {say(clock)}. Set the clock of both by NTP "
            "(chronyc tracking): with a wrong one, leases and certificates seem expired.",
        )
    if available.get("status") == "True":
        return Verdict("ready", "has joined and is available")
    if available.get("status") == "Unknown":
        return Verdict(
            "failing",
            f"its agent should report to the hub, but has stopped to: {say(available)}. The facility, its agent or "
            "the way from it to the hub is down.",
            silent=True,
        )
    if available:
        return Verdict("failing", f"it should be available, but its agent says {say(available)}.", silent=True)
    return Verdict("waiting", "its agent has not reported yet", silent=True)


def say(told: dict[str, Any]) -> str:
    message = (told.get("message") or "").strip().rstrip(".")
    return f"{told['type']}={told['status']}, {told.get('reason') or 'no reason'}: {message}"
