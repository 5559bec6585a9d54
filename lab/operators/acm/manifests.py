# SPDX-License-Identifier: GPL-3.0-or-later
"""Upstream's own manifests, where Advanced Cluster Management puts them. Pure but for reading."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path("/opt/manifests")
HUB_NAMESPACE, AGENT_NAMESPACE = "multicluster-engine", "open-cluster-management-agent"
WORK_GATES = [{"feature": "ManifestWorkReplicaSet", "mode": "Enable"}]
Body = dict[str, Any]


@cache
def _read(name: str) -> list[Body]:
    return [document for document in yaml.safe_load_all((FOLDER / name).read_text()) if document]


def documents(name: str) -> list[Body]:
    """A file's objects, new ones at each call."""
    return copy.deepcopy(_read(name))


def placed(objects: list[Body], namespace: str, image: str) -> list[Body]:
    """One pod in `namespace`; the rest as upstream has it."""
    for body in objects:
        if "namespace" in body["metadata"]:
            body["metadata"]["namespace"] = namespace
        for subject in body.get("subjects") or []:
            subject["namespace"] = namespace
        body.pop("imagePullSecrets", None)  # the registry asks for none
        if body["kind"] == "Deployment":
            body["spec"]["replicas"] = 1
            body["spec"]["template"]["spec"].pop("affinity", None)
            container = body["spec"]["template"]["spec"]["containers"][0]
            container["image"] = image
            container["env"] = [entry for entry in container["env"] if entry["name"] != "AGENT_IMAGE"]
            container["env"].append({"name": "AGENT_IMAGE", "value": image})
    return objects


def namespace(name: str) -> Body:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def hub_operator(image: str) -> list[Body]:
    """OCM's cluster-manager operator, and the kinds of both of OCM's operators."""
    return [
        *documents("cluster-managers.crd.yaml"),
        *documents("klusterlets.crd.yaml"),
        *documents("klusterletaddonconfigs.crd.yaml"),
        namespace(HUB_NAMESPACE),
        *placed(documents("cluster-manager.yaml"), HUB_NAMESPACE, image),
    ]


def cluster_manager(image: str) -> Body:
    """What OCM's operator makes the hub of."""
    images = {f"{name}ImagePullSpec": image for name in ("registration", "work", "placement", "addOnManager")}
    return {
        "apiVersion": "operator.open-cluster-management.io/v1",
        "kind": "ClusterManager",
        "metadata": {"name": "cluster-manager"},
        "spec": {**images, "deployOption": {"mode": "Default"}, "workConfiguration": {"featureGates": WORK_GATES}},
    }


def agent(cluster: str, image: str, kubeconfig: str) -> list[Body]:
    """What a cluster gets: OCM's klusterlet operator, the way to the hub, the Klusterlet to make the agent of."""
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "bootstrap-hub-kubeconfig", "namespace": AGENT_NAMESPACE},
        "type": "Opaque",
        "stringData": {"kubeconfig": kubeconfig},
    }
    return [
        namespace(AGENT_NAMESPACE),
        *placed(documents("klusterlet.yaml"), AGENT_NAMESPACE, image),
        aggregated(),
        secret,
        klusterlet(cluster, image),
    ]


def aggregated() -> Body:
    """Lets the agent end itself, when the work that holds its Klusterlet goes."""
    name = "open-cluster-management:klusterlet-admin-aggregate-clusterrole"
    rule = {"apiGroups": ["operator.open-cluster-management.io"], "resources": ["klusterlets"], "verbs": ["*"]}
    labels = {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": name, "labels": labels},
        "rules": [rule],
    }


def klusterlet(cluster: str, image: str) -> Body:
    images = dict.fromkeys(("imagePullSpec", "registrationImagePullSpec", "workImagePullSpec"), image)
    mode = {"deployOption": {"mode": "Singleton"}}
    return {
        "apiVersion": "operator.open-cluster-management.io/v1",
        "kind": "Klusterlet",
        "metadata": {"name": "klusterlet"},
        "spec": {"clusterName": cluster, "namespace": AGENT_NAMESPACE, **images, **mode},
    }


def agent_crds() -> list[Body]:
    return documents("klusterlets.crd.yaml")
