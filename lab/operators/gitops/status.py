# SPDX-License-Identifier: GPL-3.0-or-later
"""The status of an ArgoCD as the Argo CD operator v0.15 writes it. Pure."""

from __future__ import annotations

from typing import Any

from .parts import WORKLOADS

Body = dict[str, Any]


def component(workload: Body | None) -> str:
    """Unknown, Pending, Running or Failed."""
    if workload is None:
        return "Unknown"
    status = workload.get("status") or {}
    if status.get("readyReplicas", 0) == workload["spec"]["replicas"]:
        return "Running"
    conditions = status.get("conditions") or []
    failed = any(c["type"] == "ReplicaFailure" and c["status"] == "True" for c in conditions)
    return "Failed" if failed else "Pending"


def of(workloads: dict[str, Body | None]) -> Body:
    """By the workload of each component. There is no server here, so none is asked for, as with server.enabled off."""
    components = {name: component(workloads.get(name)) for name in WORKLOADS}
    working = all(components[name] == "Running" for name in ("applicationController", "redis", "repo"))
    return {**components, "server": "Unknown", "phase": "Available" if working else "Pending"}
