# SPDX-License-Identifier: GPL-3.0-or-later
"""A MultiClusterHub's status, as its operator writes it, and the cluster that it manages itself. Pure."""

from __future__ import annotations

from typing import Any

from strimzi.conditions import condition, dated, is_true

VERSION, FINALIZER = "2.12.0", "finalizer.operator.open-cluster-management.io"
LOCAL = "local-cluster"
DEGRADED = ("HubRegistrationDegraded", "HubPlacementDegraded")
Body = dict[str, Any]


def works(manager: Body | None) -> str:
    """What a ClusterManager still lacks, "" when its controllers run."""
    if manager is None:
        return "ClusterManager cluster-manager is not there yet"
    conditions = {c["type"]: c for c in (manager.get("status") or {}).get("conditions") or []}
    if conditions.get("Applied", {}).get("status") != "True":
        return f"ClusterManager: {conditions.get('Applied', {}).get('message') or 'its operator has not looked yet'}"
    for name in (*DEGRADED, "Progressing"):
        if conditions.get(name, {}).get("status") != "False":
            return f"ClusterManager: {name} {conditions.get(name, {}).get('message') or 'is not known yet'}"
    return ""


def local_cluster() -> Body:
    labels = {LOCAL: "true", "cloud": "auto-detect", "vendor": "auto-detect", "name": LOCAL}
    return {
        "apiVersion": "cluster.open-cluster-management.io/v1",
        "kind": "ManagedCluster",
        "metadata": {"name": LOCAL, "labels": labels},
        "spec": {"hubAcceptsClient": True, "leaseDurationSeconds": 60},
    }


def addon_config() -> Body:
    return {
        "apiVersion": "agent.open-cluster-management.io/v1",
        "kind": "KlusterletAddonConfig",
        "metadata": {"name": LOCAL, "namespace": LOCAL},
        "spec": {"clusterName": LOCAL, "clusterNamespace": LOCAL},
    }


def status(hub: Body, missing: str, error: Exception | None = None) -> Body:
    """The hub's controllers count, as with the vendor: Running says nothing of local-cluster. No observedGeneration."""
    old = hub.get("status") or {}
    words = str(error) if error else missing
    gone = bool(hub["metadata"].get("deletionTimestamp"))
    phase = "Uninstalling" if gone else "Error" if error else "Installing" if missing else "Running"
    reason = {
        "Running": "ComponentsAvailable",
        "Installing": "ComponentsUnavailable",
        "Uninstalling": "OldResourceDeleted",
    }
    complete = condition(
        "Complete",
        str(phase == "Running"),
        reason.get(phase, "FailedApplyingComponent"),
        words or "All hub components ready.",
    )
    progressing = condition("Progressing", str(phase != "Running"), reason.get(phase, "FailedApplyingComponent"), words)
    return {
        "phase": phase,
        "desiredVersion": VERSION,
        "currentVersion": VERSION if phase == "Running" else old.get("currentVersion", ""),
        "conditions": dated(old.get("conditions"), [complete, progressing]),
    }


def self_managed(hub: Body) -> bool:
    return not hub["spec"].get("disableHubSelfManagement")


def joined(cluster: Body) -> bool:
    return is_true(cluster, "ManagedClusterJoined")


def available(cluster: Body) -> bool:
    return is_true(cluster, "ManagedClusterConditionAvailable")
