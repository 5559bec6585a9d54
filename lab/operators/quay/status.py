# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of a QuayRegistry, as the vendor's operator writes it: one condition a component. Pure."""

from __future__ import annotations

from typing import Any

from strimzi.conditions import condition, dated, now

from .bundle import ABSENT, KINDS

Body = dict[str, Any]
VERSION = "3.13.0"
WORDS = {
    "horizontalpodautoscaler": "HPA", "objectstorage": "ObjectStorage", "clairpostgres": "ClairPostgres", "tls": "TLS",
}  # fmt: skip


def condition_name(kind: str) -> str:
    return f"Component{WORDS.get(kind, kind.capitalize())}Ready"


def components(managed: dict[str, bool], available: bool, message: str = "") -> list[Body]:
    """What is not managed is ready by definition; of what is, only the application takes time here."""
    found = []
    for kind in KINDS:
        if not managed[kind] or kind in ABSENT:
            found.append(condition(condition_name(kind), reason="ComponentNotManaged"))
        elif kind == "quay" and not available:
            found.append(condition(condition_name(kind), "False", "ComponentNotReady", message))
        else:
            found.append(condition(condition_name(kind), reason="ComponentReady"))
    return found


def rolled_out(registry: Body, managed: dict[str, bool], hostname: str, deployment: Body | None) -> Body:
    replicas = ((deployment or {}).get("status") or {}).get("availableReplicas") or 0
    message = f"Deployment {registry['metadata']['name']}-quay-app: {replicas} replicas are available"
    reason = "HealthChecksPassing" if replicas else "ComponentsUnhealthy"
    created = condition(
        "ComponentsCreated", reason="ComponentsCreationSuccess", message="All objects created/updated successfully"
    )
    available = condition("Available", str(bool(replicas)), reason, "" if replicas else message)
    new = [*components(managed, bool(replicas), message), created, available]
    return _with(registry, new, registryEndpoint=f"https://{hostname}", currentVersion=VERSION)


def blocked(registry: Body, reason: str, message: str) -> Body:
    """What was rolled out before keeps running, so its conditions stay."""
    old = (registry.get("status") or {}).get("conditions") or []
    kept = [{k: v for k, v in c.items() if k != "lastTransitionTime"} for c in old if c["type"] != "RolloutBlocked"]
    return _with(registry, [*kept, condition("RolloutBlocked", "True", reason, message)])


def _with(registry: Body, new: list[Body], **fields: str) -> Body:
    old = registry.get("status") or {}
    status = {**old, **fields, "conditions": dated(old.get("conditions"), new)}
    return status if status == old else {**status, "lastUpdated": now()}
