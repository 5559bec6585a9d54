# SPDX-License-Identifier: GPL-3.0-or-later
"""Status conditions as Strimzi and Knative write them: lastTransitionTime moves only when a status does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Condition = dict[str, Any]


def now() -> str:
    """The time as Kubernetes writes it, UTC, whole seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def condition(type_: str, status: str = "True", reason: str = "", message: str = "") -> Condition:
    """A condition without its time; `dated` adds that."""
    texts = {key: value for key, value in (("reason", reason), ("message", message)) if value}
    return {"type": type_, "status": status, **texts}


def dated(old: list[Condition] | None, new: list[Condition], at: str | None = None) -> list[Condition]:
    """`new` with times: an unchanged condition (type, status, reason) keeps its old one."""
    kept = {(c["type"], c["status"], c.get("reason")): c.get("lastTransitionTime") for c in old or []}
    at = at or now()
    return [{**c, "lastTransitionTime": kept.get((c["type"], c["status"], c.get("reason"))) or at} for c in new]


def is_true(body: dict[str, Any], type_: str) -> bool:
    """Whether the object's condition of that type has status True."""
    conditions = (body.get("status") or {}).get("conditions") or []
    return any(c.get("type") == type_ and c.get("status") == "True" for c in conditions)
