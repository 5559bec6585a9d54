# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditions as Knative's condition sets keep them: sorted by type, Ready on top of the others. Pure."""

from __future__ import annotations

from typing import Any

from strimzi.conditions import Condition, condition, dated

OIDC = condition("OIDCIdentityCreated", "True", "authentication-oidc feature disabled")


def ready(conditions: list[Condition]) -> Condition:
    """Ready: False with the first False one's reason, else Unknown with the first Unknown one's, else True."""
    for status in ("False", "Unknown"):
        for c in conditions:
            if c["status"] == status:
                return condition("Ready", status, c.get("reason", ""), c.get("message", ""))
    return condition("Ready")


def living_set(old: list[Condition] | None, known: list[Condition], types: tuple[str, ...]) -> list[Condition]:
    """All conditions of a set with their times: what is not known yet is Unknown."""
    by_type = {c["type"]: c for c in known}
    full = [by_type.get(t, condition(t, "Unknown")) for t in types]
    return sorted(dated(old, [*full, ready(full)]), key=lambda c: c["type"])


def status(body: dict[str, Any], conditions: list[Condition], **fields: Any) -> dict[str, Any]:
    """A status; fields that are None are left out."""
    return {
        "observedGeneration": body["metadata"]["generation"],
        "conditions": conditions,
        **{key: value for key, value in fields.items() if value is not None},
    }
