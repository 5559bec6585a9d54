# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ArgoCD is made into: the objects of parts.yaml, hardened and owned by it. Pure."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import yaml

Body = dict[str, Any]
PARTS = Path(__file__).with_name("parts.yaml")
PART_OF = {"app.kubernetes.io/part-of": "argocd"}
# Others write into these: they are made once.
SHARED_CONFIG = ("argocd-tls-certs-cm", "argocd-ssh-known-hosts-cm")
WORKLOADS = {
    "applicationController": ("StatefulSet", "application-controller"),
    "applicationSetController": ("Deployment", "applicationset-controller"),
    "redis": ("Deployment", "redis"),
    "repo": ("Deployment", "repo-server"),
}


def of(argocd: Body, image: str) -> list[Body]:
    """What is applied, again and again."""
    text = PARTS.read_text().replace("@NAME@", argocd["metadata"]["name"])
    parts = [_placed(argocd, part) for part in yaml.safe_load_all(text)]
    for part in parts:
        if part["kind"] in ("Deployment", "StatefulSet"):
            _harden(part["spec"]["template"]["spec"], argocd["metadata"]["name"], image)
        elif part["kind"] == "RoleBinding":
            part["subjects"][0]["namespace"] = argocd["metadata"]["namespace"]
        elif part["metadata"]["name"] == "argocd-cm":
            part["data"] = config(argocd["spec"])
    return parts


def made_once(argocd: Body) -> list[Body]:
    """What is created when it is missing and then left alone."""
    name = argocd["metadata"]["name"]
    project = {"spec": {"clusterResourceWhitelist": [{"group": "*", "kind": "*"}], "sourceRepos": ["*"]}}
    project["spec"]["destinations"] = [{"namespace": "*", "server": "*"}]
    return [
        _placed(argocd, _object("v1", "Secret", "argocd-secret", stringData={"server.secretkey": _password()})),
        _placed(argocd, _object("v1", "Secret", redis_secret(name), stringData={"admin.password": _password()})),
        *(_placed(argocd, _object("v1", "ConfigMap", config_map)) for config_map in SHARED_CONFIG),
        _placed(argocd, _object("argoproj.io/v1alpha1", "AppProject", "default", **project)),
    ]


def config(spec: Body) -> dict[str, str]:
    """Argo CD's own configuration, as far as the stand-in takes it from the resource."""
    found = {"application.instanceLabelKey": spec.get("applicationInstanceLabelKey")}
    found["application.resourceTrackingMethod"] = spec.get("resourceTrackingMethod")
    for entry in spec.get("resourceHealthChecks") or []:
        place = f"{entry['group']}_{entry['kind']}" if entry.get("group") else entry["kind"]
        found[f"resource.customizations.health.{place}"] = entry["check"]
    return {key: value for key, value in found.items() if value} | (spec.get("extraConfig") or {})


def redis_secret(name: str) -> str:
    return f"{name}-redis-initial-password"


def _object(api_version: str, kind: str, name: str, **fields: Any) -> Body:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **fields}


def _placed(argocd: Body, part: Body) -> Body:
    """The part in the ArgoCD's namespace, as something that goes with it."""
    meta = argocd["metadata"]
    owner = {key: argocd[key] for key in ("apiVersion", "kind")} | {"name": meta["name"], "uid": meta["uid"]}
    part["metadata"] |= {"namespace": meta["namespace"], "ownerReferences": [owner], "labels": dict(PART_OF)}
    return part


def _harden(pod: Body, name: str, image: str) -> None:
    password = {"secretKeyRef": {"name": redis_secret(name), "key": "admin.password"}}
    pod["enableServiceLinks"] = False
    pod["securityContext"] = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    pod["volumes"] = [*pod.get("volumes", []), {"name": "tmp", "emptyDir": {}}]
    for container in pod["containers"]:
        container["image"] = image
        container["env"] = [*container.get("env", []), {"name": "REDIS_PASSWORD", "valueFrom": password}]
        container["terminationMessagePolicy"] = "FallbackToLogsOnError"
        container["volumeMounts"] = [*container.get("volumeMounts", []), {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108
        container["securityContext"] = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }


def _password() -> str:
    return secrets.token_urlsafe(24)
