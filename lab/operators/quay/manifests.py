# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects behind a QuayRegistry: keys, configuration, volume, application with its registry, and Service. Pure."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from .bundle import Wanted
from .registry_config import registry_yaml

Body = dict[str, Any]
NODE_PORTS = range(30000, 32768)
SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def keys_name(registry: Body) -> str:
    return f"{registry['metadata']['name']}-quay-registry-managed-secret-keys"


def app_name(registry: Body) -> str:
    return f"{registry['metadata']['name']}-quay-app"


def config_name(registry: Body) -> str:
    return f"{registry['metadata']['name']}-quay-config-secret"


def owned(registry: Body, api_version: str, kind: str, name: str, **fields: Any) -> Body:
    meta = registry["metadata"]
    owner = {k: registry[k] for k in ("apiVersion", "kind")} | {
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
    }
    labels = {"quay-operator/quayregistry": meta["name"]}
    place = {"name": name, "namespace": meta["namespace"], "labels": labels, "ownerReferences": [owner]}
    return {"apiVersion": api_version, "kind": kind, "metadata": place, **fields}


def secret(registry: Body, name: str, texts: dict[str, str]) -> Body:
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    return owned(registry, "v1", "Secret", name, type="Opaque", data=data)


def configuration(registry: Body, wanted: Wanted, keys: dict[str, str]) -> Body:
    """What both containers read: the API its settings, the registry its own file, and both the keys."""
    certificate, key = wanted.certificate or (keys["ssl.cert"], keys["ssl.key"])
    features = ("SUPER_USERS", "FEATURE_USER_INITIALIZE", "FEATURE_USER_CREATION")
    settings = {"hostname": wanted.hostname} | {k: wanted.config[k] for k in features if k in wanted.config}
    texts = {
        "settings.json": json.dumps(settings, sort_keys=True),
        "registry.yaml": registry_yaml(wanted, keys["SECRET_KEY"]),
        "ssl.cert": certificate,
        "ssl.key": key,
        "token.crt": keys["token.crt"],
        "token.key": keys["token.key"],
        "extra_ca.crt": wanted.authorities,
    }
    return secret(registry, config_name(registry), texts)


def volume(registry: Body) -> Body:
    """The database, and the images unless they have a bucket."""
    spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Gi"}}}
    return owned(registry, "v1", "PersistentVolumeClaim", f"{app_name(registry)}-datastorage", spec=spec)


def service(registry: Body, wanted: Wanted) -> Body:
    """A name that is a node's own port is served there; any other needs somebody's ingress, as with the vendor's."""
    port: Body = {"name": "https", "port": 443, "targetPort": "https"}
    asked = wanted.hostname.rpartition(":")[2]
    on_node = asked.isdigit() and int(asked) in NODE_PORTS
    if on_node:
        port["nodePort"] = int(asked)
    spec = {
        "type": "NodePort" if on_node else "ClusterIP",
        "selector": {"quay-component": app_name(registry)},
        "ports": [port],
    }
    return owned(registry, "v1", "Service", app_name(registry), spec=spec)


def deployment(registry: Body, image: str, config: Body) -> Body:
    name = app_name(registry)
    digest = hashlib.sha256(json.dumps(config["data"], sort_keys=True).encode()).hexdigest()[:16]
    labels = {"quay-component": name}
    template = {
        "metadata": {"labels": labels, "annotations": {"config": digest}},
        "spec": _pod(registry, image, config),
    }
    spec = {"replicas": 1, "strategy": {"type": "Recreate"}, "selector": {"matchLabels": labels}, "template": template}
    return owned(registry, "apps/v1", "Deployment", name, spec=spec)


def _pod(registry: Body, image: str, config: Body) -> Body:
    volumes = [
        {"name": "config", "secret": {"secretName": config["metadata"]["name"]}},
        {"name": "data", "persistentVolumeClaim": {"claimName": f"{app_name(registry)}-datastorage"}},
        {"name": "tmp", "emptyDir": {}},
    ]
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_app(image), _registry(image)],
        "volumes": volumes,
    }  # fmt: skip


def _app(image: str) -> Body:
    probe = {"httpGet": {"path": "/health/instance", "port": "https", "scheme": "HTTPS"}}
    return {
        "name": "quay-app",
        "image": image,
        "command": ["python3", "-m", "quay.app"],
        "ports": [{"name": "https", "containerPort": 8443}],
        "readinessProbe": {**probe, "periodSeconds": 2},
        "livenessProbe": {**probe, "periodSeconds": 60, "timeoutSeconds": 10},
        "resources": {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": SECURITY,
        "volumeMounts": _mounts(),
    }


def _registry(image: str) -> Body:
    return {
        "name": "registry",
        "image": image,
        "command": ["sh", "-c"],
        # Go reads one file of certificates: the usual ones, and those that the config bundle brings.
        "args": [
            "cat /etc/ssl/certs/ca-certificates.crt /conf/stack/extra_ca.crt >/tmp/ca.crt && "
            "SSL_CERT_FILE=/tmp/ca.crt exec /usr/bin/docker-registry serve /conf/stack/registry.yaml"
        ],
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": SECURITY,
        "volumeMounts": _mounts(),
    }


def _mounts() -> list[Body]:
    return [
        {"name": "config", "mountPath": "/conf/stack", "readOnly": True},
        {"name": "data", "mountPath": "/datastorage"},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108,
    ]
