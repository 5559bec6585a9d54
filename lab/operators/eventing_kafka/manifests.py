# SPDX-License-Identifier: GPL-3.0-or-later
"""The dispatcher of a KafkaSource as a Deployment in the source's own namespace. Pure."""

from __future__ import annotations

import hashlib
from typing import Any

from .connection import net_references
from .settings import CREDENTIALS, Settings

SELECTOR = {"eventing.knative.dev/source": "kafka-source-controller"}
MANAGED_BY = {"app.kubernetes.io/managed-by": "eventing-kafka"}


def source_labels(name: str) -> dict[str, str]:
    """What a source's pods carry, and status.selector selects."""
    return {**SELECTOR, "eventing.knative.dev/sourceName": name}


def selector(name: str) -> str:
    return ",".join(f"{k}={v}" for k, v in sorted(source_labels(name).items()))


def deployment_name(body: dict[str, Any]) -> str:
    """kafkasource-<name>-<hash of the uid>, short enough for a label."""
    meta = body["metadata"]
    return f"kafkasource-{meta['name'][:40]}-{hashlib.sha256(meta['uid'].encode()).hexdigest()[:8]}"


def dispatcher(body: dict[str, Any], settings: Settings, image: str, secrets_hash: str) -> dict[str, Any]:
    """The Deployment; a change of the settings or of a secret's content rolls it."""
    meta, labels = body["metadata"], source_labels(body["metadata"]["name"])
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": deployment_name(body),
            "namespace": meta["namespace"],
            "labels": {**labels, **MANAGED_BY},
            "ownerReferences": [
                {
                    "apiVersion": body["apiVersion"],
                    "kind": "KafkaSource",
                    "name": meta["name"],
                    "uid": meta["uid"],
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "spec": {
            "replicas": 1 if settings.consumers else 0,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {
                "metadata": {
                    "labels": {**labels, **MANAGED_BY},
                    "annotations": {
                        "eventing-kafka.xraylab/secrets": secrets_hash,
                        "prometheus.io/scrape": "true",
                        "prometheus.io/port": "8080",
                    },
                },
                "spec": _pod(settings, image),
            },
        },
    }


def _pod(settings: Settings, image: str) -> dict[str, Any]:
    references = net_references(settings.net)
    sources = [
        {"secret": {"name": ref.secret, "items": [{"key": ref.key, "path": name}]}} for name, ref in references.items()
    ]
    volumes = [{"name": "credentials", "projected": {"sources": sources}}] if sources else []
    mounts = [{"name": "credentials", "mountPath": str(CREDENTIALS), "readOnly": True}] if sources else []
    return {
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 40,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_dispatcher(settings, image, mounts)],
        "volumes": volumes,
    }


def _dispatcher(settings: Settings, image: str, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "dispatcher",
        "image": image,
        "args": ["-m", "eventing_kafka.dispatch"],
        "env": [{"name": "KAFKA_SOURCE", "value": settings.to_json()}],
        "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 2},
        "livenessProbe": {
            "httpGet": {"path": "/healthz", "port": 8080},
            "periodSeconds": 30,
            "timeoutSeconds": 5,
        },
        "resources": {"requests": {"cpu": "20m", "memory": "64Mi"}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }
