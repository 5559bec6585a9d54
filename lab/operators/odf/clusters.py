# SPDX-License-Identifier: GPL-3.0-or-later
"""What a StorageCluster of external storage is made into, and its status, as the OCS operator has them. Pure."""

from __future__ import annotations

import base64
import json
from typing import Any

from strimzi.conditions import condition, dated
from strimzi.work import Failure

Body = dict[str, Any]
DETAILS, KEY = "rook-ceph-external-cluster-details", "external_cluster_details"
CERTIFICATE = "ceph-rgw-tls-cert"


def check(cluster: Body) -> None:
    if not (cluster["spec"].get("externalStorage") or {}).get("enable"):
        raise Failure("Unsupported", "this stand-in runs no Ceph: spec.externalStorage.enable must be true")


def store_name(cluster: Body) -> str:
    return f"{cluster['metadata']['name']}-cephobjectstore"


def parts(cluster: Body, details: str | None) -> list[Body]:
    """Secrets and the CephObjectStore that `details` tell of: what Rook's script printed at the other Ceph."""
    namespace = cluster["metadata"]["namespace"]
    try:
        entries = {(e["kind"], e["name"]): e["data"] for e in json.loads(details or "")}
    except (ValueError, KeyError, TypeError):
        where = f"key {KEY} of Secret {DETAILS} in namespace {namespace}"
        raise Failure("ReconcileFailed", f"expected {where} to hold what Rook's export of a Ceph prints") from None
    found = [
        _owned(cluster, "v1", "Secret", name, data={k: base64.b64encode(v.encode()).decode() for k, v in data.items()})
        for (kind, name), data in entries.items()
        if kind == "Secret"
    ]
    gateway = entries.get(("StorageClass", "ceph-rgw"))
    if gateway:
        spec = {"gateway": _gateway(gateway["endpoint"], ("Secret", CERTIFICATE) in entries)}
        found.append(_owned(cluster, "ceph.rook.io/v1", "CephObjectStore", store_name(cluster), spec=spec))
    return found


def _gateway(address: str, tls: bool) -> Body:
    host, port = address.rsplit(":", 1)
    ports = {"securePort": int(port), "sslCertificateRef": CERTIFICATE} if tls else {"port": int(port)}
    return {"instances": 1, "externalRgwEndpoints": [{"ip": host}], **ports}


def _owned(cluster: Body, api_version: str, kind: str, name: str, **fields: Any) -> Body:
    meta = cluster["metadata"]
    owner = {k: cluster[k] for k in ("apiVersion", "kind")} | {"name": meta["name"], "uid": meta["uid"]}
    place = {"name": name, "namespace": meta["namespace"], "ownerReferences": [owner]}
    return {"apiVersion": api_version, "kind": kind, "metadata": place, **fields}


def status(cluster: Body, waits_for: list[str], error: Exception | None = None) -> Body:
    """`waits_for` are object stores that are not ready. A StorageCluster has no observedGeneration."""
    phase = "Error" if error else "Connecting" if waits_for else "Ready"
    reason = getattr(error, "reason", "ReconcileFailed") if error else "ReconcileCompleted"
    words = str(error) if error else f"waits for CephObjectStore {', '.join(waits_for)}" if waits_for else ""
    states = {
        "ReconcileComplete": not error,
        "Available": phase == "Ready",
        "Progressing": phase == "Connecting",
        "Degraded": bool(error),
        "Upgradeable": phase == "Ready",
        "ExternalClusterConnecting": phase == "Connecting",
        "ExternalClusterConnected": phase == "Ready",
    }
    new = [condition(type_, str(state), reason, words) for type_, state in states.items()]
    return {"phase": phase, "conditions": dated((cluster.get("status") or {}).get("conditions"), new)}
