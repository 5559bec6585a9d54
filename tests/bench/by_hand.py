# SPDX-License-Identifier: GPL-3.0-or-later
"""What a second site.yml does, without Ansible: the same manifests by kubectl, the same looks at the object store."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import conftest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _rgw as rgw


def apply(kubeconfig: Path, manifests: list[dict[str, Any]], folder: Path) -> float:
    """Seconds of one `kubectl apply --server-side` of them all."""
    file = folder / "applied.json"
    file.touch(0o600)  # Secrets are among them
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests}))
    how = ["apply", "--server-side", "--field-manager=xraylab", "--force-conflicts", "-f", str(file)]
    begin = time.monotonic()
    subprocess.run(
        [conftest.LAB_HOME / "bin" / "kubectl", "--kubeconfig", kubeconfig, *how], check=True, capture_output=True
    )
    return time.monotonic() - begin


def look_at_the_store(facility: conftest.Facility) -> tuple[float, int]:
    """Seconds and number of requests; one of them writes, as site.yml does: it puts the notification again."""
    keys = facility.secret("object-store-xraylab")
    endpoint = rgw.Endpoint(conftest.ENDPOINT, keys["access_key"], keys["secret_key"], facility.ca)
    begin = time.monotonic()
    users = look_at_users(facility)
    s3, gateway = facility.s3("xraylab"), rgw.Gateway(endpoint)
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    for bucket in buckets:
        s3.head_bucket(Bucket=bucket)
        s3.get_bucket_policy(Bucket=bucket)
    s3.get_bucket_lifecycle_configuration(Bucket="xraylab-backups")
    s3.list_objects_v2(Bucket="xray-samples")
    arn = f"arn:aws:sns:default::{conftest.TOPIC}"
    gateway.sns("read the topic", "GetTopicAttributes", {"TopicArn": arn})
    there = gateway.notifications("read the notification", conftest.SOURCE)
    gateway.put_notification("put it again", conftest.SOURCE, ElementTree.tostring(there))
    return time.monotonic() - begin, users + 2 * len(buckets) + 6


def look_at_users(facility: conftest.Facility) -> int:
    """Reads every user that has a Secret, as the administrator."""
    namespace = "openshift-storage"
    found = facility.custom.list_namespaced_custom_object("ceph.rook.io", "v1", namespace, "cephobjectstoreusers")
    name = next(
        user["status"]["info"]["secretName"]
        for user in found["items"]
        if user["metadata"]["name"] == f"{conftest.NAMESPACE}-admin"
    )
    keys = conftest.decoded(facility.core.read_namespaced_secret(name, namespace).data)
    admin = rgw.Gateway(rgw.Endpoint(conftest.ENDPOINT, keys["AccessKey"], keys["SecretKey"], facility.ca))
    secrets = facility.core.list_namespaced_secret(
        conftest.NAMESPACE, label_selector="app.kubernetes.io/component=object-store"
    )
    for secret in secrets.items:
        admin.admin("read a user", "GET", "user", {"uid": secret.metadata.name.removeprefix("object-store-")})
    return len(secrets.items)
