# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Grafanas a datasource or dashboard goes to. Pure."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]


def fits(expression: Body, labels: dict[str, str]) -> bool:
    """One of a selector's matchExpressions."""
    key, values = expression["key"], expression.get("values") or []
    return {
        "In": labels.get(key) in values,
        "NotIn": key in labels and labels[key] not in values,  # the operator wants the label to be there
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[expression["operator"]]


def selected(resource: Body, grafana: Body) -> bool:
    """Whether the resource's instanceSelector finds this Grafana, in its own namespace unless it may look further."""
    spec, meta = resource["spec"], grafana["metadata"]
    near = meta["namespace"] == resource["metadata"]["namespace"] or spec.get("allowCrossNamespaceImport")
    selector, labels = spec["instanceSelector"], meta.get("labels") or {}
    wanted = selector.get("matchLabels") or {}
    return bool(
        near
        and all(labels.get(k) == v for k, v in wanted.items())
        and all(fits(e, labels) for e in selector.get("matchExpressions") or [])
    )


def entry(resource: Body) -> str:
    """How a Grafana's status names what was put into it."""
    meta = resource["metadata"]
    return f"{meta['namespace']}/{meta['name']}/{resource['status']['uid']}"
