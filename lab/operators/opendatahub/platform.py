# SPDX-License-Identifier: GPL-3.0-or-later
"""What a DSCInitialization and a DataScienceCluster ask for, and their statuses as the operator writes them. Pure.

Stricter than the vendor's v2.10, which says Ready although components failed.
"""

from __future__ import annotations

from typing import Any

from strimzi.conditions import condition, dated
from strimzi.work import Failure

Body = dict[str, Any]
KNOWN = ("kserve", "workbenches")
DONE = "Reconcile completed successfully"


def managed(part: Body | None) -> bool:
    return (part or {}).get("managementState") == "Managed"


def check_initialization(body: Body, others: list[str]) -> None:
    """Raises Failure for what the vendor refuses, and for what it can do and this stand-in can't."""
    if others:
        raise Failure("ReconcileFailed", f"only one DSCInitialization is allowed, there are also {', '.join(others)}")
    spec = body.get("spec") or {}
    for name in ("monitoring", "serviceMesh", "trustedCABundle"):
        if managed(spec.get(name)):
            raise Failure("Unsupported", f"spec.{name} Managed is not in this stand-in; say Removed")


def components(cluster: Body) -> Body:
    return (cluster.get("spec") or {}).get("components") or {}


def wanted(cluster: Body) -> set[str]:
    """Names of the components that are Managed."""
    return {name for name, part in components(cluster).items() if managed(part)}


def check_cluster(cluster: Body, others: list[str], initialized: bool) -> None:
    if others:
        raise Failure("ReconcileFailed", f"only one DataScienceCluster is allowed, there are also {', '.join(others)}")
    if not initialized:
        raise Failure("ReconcileFailed", "there is no DSCInitialization that is Ready")


def troubles(cluster: Body) -> dict[str, str]:
    """Why a Managed component cannot work here, by its name."""
    found = {name: f"{name} is not in this stand-in; say Removed" for name in wanted(cluster) - set(KNOWN)}
    kserve = components(cluster).get("kserve") or {}
    if managed(kserve) and kserve.get("defaultDeploymentMode") != "RawDeployment":
        found["kserve"] = "needs Service Mesh for Serverless, say defaultDeploymentMode: RawDeployment"
    elif managed(kserve) and (kserve.get("serving") or {}).get("managementState", "Managed") != "Removed":
        found["kserve"] = "needs Service Mesh for its own Knative Serving, say serving.managementState: Removed"
    return found


def works(cluster: Body | None, name: str) -> bool:
    """Whether the cluster has this component, as its status says."""
    return bool(((cluster or {}).get("status") or {}).get("installedComponents", {}).get(name))


def _conditions(error: str, reason: str) -> list[Body]:
    good = not error
    states = {
        "ReconcileComplete": good,
        "Available": good,
        "Progressing": False,
        "Degraded": not good,
        "Upgradeable": good,
    }
    return [condition(type_, str(state), reason, error or DONE) for type_, state in states.items()]


def initialized(body: Body, error: Failure | None) -> Body:
    new = _conditions(str(error or ""), error.reason if error else "ReconcileCompleted")
    status = {"phase": "Error" if error else "Ready", "conditions": _dated(body, new)}
    return {**status, **({"errorMessage": str(error)} if error else {})}


def cluster_status(body: Body, error: Failure | None) -> Body:
    """`error` concerns the whole cluster; what concerns one component is in its condition as well."""
    bad = {} if error else troubles(body)
    words = str(error) if error else "; ".join(f"{name}: {why}" for name, why in sorted(bad.items()))
    reason = error.reason if error else "ReconcileCompletedWithComponentErrors" if bad else "ReconcileCompleted"
    good = set() if error else wanted(body) - set(bad)
    each = [condition(f"{name}Ready", "True", "ReconcileCompleted", DONE) for name in sorted(good)]
    each += [condition(f"{name}Ready", "False", "ReconcileFailed", why) for name, why in sorted(bad.items())]
    status = {"phase": "Error" if words else "Ready", "conditions": _dated(body, _conditions(words, reason) + each)}
    status["installedComponents"] = {name: name in good for name in sorted({*components(body), *KNOWN})}
    return {**status, **({"errorMessage": words} if words else {})}


def _dated(body: Body, new: list[Body]) -> list[Body]:
    return dated((body.get("status") or {}).get("conditions"), new)
