# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ObjectBucketClaim is made into, as Rook 1.17 and its lib-bucket-provisioner have it. Pure."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlsplit

from strimzi.work import Failure

Body = dict[str, Any]
FINALIZER = "objectbucket.io/finalizer"
SETTINGS, SETTING = "rook-ceph-operator-config", "ROOK_OBC_ALLOW_ADDITIONAL_CONFIG_FIELDS"
DEFAULT = "maxObjects,maxSize"
KNOWN = {"bucketOwner", "bucketPolicy", "bucketLifecycle"}


def provisioner(namespace: str) -> str:
    return f"{namespace}.ceph.rook.io/bucket"


def labels(namespace: str) -> dict[str, str]:
    return {"bucket-provisioner": provisioner(namespace).replace("/", "-")}


def config(claim: Body) -> dict[str, str]:
    return claim["spec"].get("additionalConfig") or {}


def check(claim: Body, storage_class: Body, setting: str | None) -> None:
    """Raises Failure for what Rook refuses; `setting` lists what users may say of their buckets."""
    forbidden = sorted(set(config(claim)) - set((setting or DEFAULT).split(",")))
    if forbidden:
        raise Failure(
            "NotAllowed",
            f"additionalConfig: {', '.join(forbidden)} must be among {SETTING} in the ConfigMap {SETTINGS}",
        )
    if unknown := sorted(set(config(claim)) - KNOWN):
        raise Failure("Unsupported", f"additionalConfig: this stand-in knows no {', '.join(unknown)}")
    if storage_class.get("reclaimPolicy", "Delete") != "Delete" or "bucketName" in storage_class["parameters"]:
        raise Failure("Unsupported", "this stand-in makes new buckets only, which go with their claims")
    if not claim["spec"].get("bucketName") and not claim["spec"].get("generateBucketName"):
        raise Failure("InvalidSpec", "expected bucketName or generateBucketName")


def bucket_name(claim: Body) -> str:
    return claim["spec"].get("bucketName") or f"{claim['spec']['generateBucketName']}-{uuid.uuid4()}"


def owner(claim: Body) -> str:
    """The user that owns the bucket: a given one, or one of the claim's own."""
    meta = claim["metadata"]
    return config(claim).get("bucketOwner") or f"obc-{meta['namespace']}-{meta['name']}-{meta['uid']}"


def object_bucket_name(claim: Body) -> str:
    return f"obc-{claim['metadata']['namespace']}-{claim['metadata']['name']}"


def object_bucket(claim: Body, storage_class: Body, endpoint: str, namespace: str) -> Body:
    meta, parameters = claim["metadata"], storage_class["parameters"]
    own = {"bucketOwner": owner(claim)} if "bucketOwner" in config(claim) else {}
    spec = {
        "storageClassName": storage_class["metadata"]["name"],
        "reclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
        "claimRef": {**_reference(claim), "namespace": meta["namespace"]},
        "endpoint": {
            **_address(endpoint),
            "bucketName": claim["spec"]["bucketName"],
            "additionalConfig": config(claim),
        },
        "additionalState": {
            "cephUser": owner(claim),
            "objectStoreName": parameters["objectStoreName"],
            "objectStoreNamespace": parameters["objectStoreNamespace"],
            **own,
        },
    }
    found = {"name": object_bucket_name(claim), "labels": labels(namespace), "finalizers": [FINALIZER]}
    return {"apiVersion": claim["apiVersion"], "kind": "ObjectBucket", "metadata": found, "spec": spec}


def parts(claim: Body, keys: dict[str, str], endpoint: str, namespace: str) -> list[Body]:
    """The Secret and the ConfigMap of the claim's name."""
    address = _address(endpoint)
    secret = {"AWS_ACCESS_KEY_ID": keys["access_key"], "AWS_SECRET_ACCESS_KEY": keys["secret_key"]}
    where = {
        "BUCKET_NAME": claim["spec"]["bucketName"],
        "BUCKET_HOST": address["bucketHost"],
        "BUCKET_PORT": str(address["bucketPort"]),
        "BUCKET_REGION": "",
        "BUCKET_SUBREGION": "",
    }
    return [
        {"kind": "Secret", **_owned(claim, namespace), "stringData": secret},
        {"kind": "ConfigMap", **_owned(claim, namespace), "data": where},
    ]


def _owned(claim: Body, namespace: str) -> Body:
    meta = claim["metadata"]
    reference = {**_reference(claim), "controller": True, "blockOwnerDeletion": True}
    return {
        "apiVersion": "v1",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "labels": labels(namespace),
            "finalizers": [FINALIZER],
            "ownerReferences": [reference],
        },
    }


def _reference(claim: Body) -> Body:
    return {k: claim[k] for k in ("apiVersion", "kind")} | {k: claim["metadata"][k] for k in ("name", "uid")}


def _address(endpoint: str) -> Body:
    parts = urlsplit(endpoint)
    return {"bucketHost": parts.hostname, "bucketPort": parts.port}


def patch(claim: Body, namespace: str) -> Body:
    """What the claim itself gets before there is a bucket, so that nothing is made twice or left behind."""
    meta = claim["metadata"]
    finalizers = sorted({*(meta.get("finalizers") or []), FINALIZER})
    return {
        "metadata": {"finalizers": finalizers, "labels": labels(namespace)},
        "spec": {"bucketName": bucket_name(claim)},
    }


def failed(claim: Body, error: Exception) -> Body:
    """Rook tells the cause in its log only, and leaves a bound claim bound."""
    old = claim.get("status") or {}
    return {**old, "phase": old.get("phase") or "Pending", "message": str(error)}
