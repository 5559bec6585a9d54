# SPDX-License-Identifier: GPL-3.0-or-later
"""What a CephObjectStoreUser asks of RGW, its Secret and its status, as Rook 1.15 has them. Pure."""

from __future__ import annotations

import base64
from typing import Any

from strimzi.work import Failure

from .rgw import Call, User

Body = dict[str, Any]
FINALIZER = "cephobjectstoreuser.ceph.rook.io"
RGW_NAMES = {"user": "users", "bucket": "buckets"}  # Rook takes both spellings


def caps(spec: Body) -> dict[str, str]:
    """The capabilities by RGW's names; RGW shows "read, write" as "*"."""
    asked = (spec.get("capabilities") or {}).items()
    return {RGW_NAMES.get(kind, kind): "*" if grant == "read, write" else grant for kind, grant in asked}


def check(body: Body) -> None:
    """Raises Failure for what Rook can do and this stand-in can't."""
    meta, spec = body["metadata"], body["spec"]
    if spec.get("clusterNamespace") not in (None, "", meta["namespace"]):
        raise Failure(
            "Unsupported", "spec.clusterNamespace: this stand-in knows object stores of its own namespace only"
        )
    if {"maxObjects", "maxSize"} & set(spec.get("quotas") or {}):
        raise Failure("Unsupported", "spec.quotas: this stand-in knows maxBuckets only")


def plan(body: Body, user: User | None) -> list[Call]:
    """The calls that make RGW's user (None: there is none) as the resource wants it."""
    uid, spec = body["metadata"]["name"], body["spec"]
    most = (spec.get("quotas") or {}).get("maxBuckets")
    fields = {"uid": uid, "max-buckets": str(1000 if most is None else most)}
    if user is None:
        first = [Call("PUT", {**fields, "display-name": spec.get("displayName") or uid})]
    else:
        first = [Call("POST", fields)] if str(user["max_buckets"]) != fields["max-buckets"] else []
    before, after = {cap["type"]: cap["perm"] for cap in (user or {}).get("caps", [])}.items(), caps(spec).items()
    # What goes comes first: the two may be grants of one kind.
    changes = (("DELETE", before - after), ("PUT", after - before))
    return first + [
        Call(method, {"uid": uid, "user-caps": _listed(pairs)}, "caps") for method, pairs in changes if pairs
    ]


def _listed(pairs: set[tuple[str, str]]) -> str:
    return ";".join(f"{kind}={grant}" for kind, grant in sorted(pairs))


def secret_name(body: Body) -> str:
    return f"rook-ceph-object-user-{body['spec']['store']}-{body['metadata']['name']}"


def secret(body: Body, user: User, endpoint: str, certificate: str | None) -> Body:
    """The keys for whoever uses the user; `certificate` names the Secret with what to trust."""
    meta, store = body["metadata"], body["spec"]["store"]
    owner = {k: body[k] for k in ("apiVersion", "kind")} | {
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }
    labels = {"app": "rook-ceph-rgw", "user": meta["name"], "rook_cluster": meta["namespace"]}
    keys = user["keys"][0]
    values = {"AccessKey": keys["access_key"], "SecretKey": keys["secret_key"], "Endpoint": endpoint}
    values |= {"SSLCertSecretName": certificate} if certificate else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(body),
            "namespace": meta["namespace"],
            "labels": {**labels, "rook_object_store": store},
            "ownerReferences": [owner],
        },
        "type": "kubernetes.io/rook",
        "data": {key: base64.b64encode(value.encode()).decode() for key, value in values.items()},
    }


def ready(body: Body) -> Body:
    return {
        "phase": "Ready",
        "observedGeneration": body["metadata"]["generation"],
        "info": {"secretName": secret_name(body)},
    }


def failed(body: Body, error: Exception) -> Body:
    """Rook tells the cause in an event only, and keeps the rest of the status."""
    return {**(body.get("status") or {}), "phase": "ReconcileFailed", "message": str(error)}
