# SPDX-License-Identifier: GPL-3.0-or-later
"""What Advanced Cluster Management's import controller makes for a ManagedCluster, and what it says of it. Pure."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from strimzi.conditions import condition, dated

from . import manifests

CONTROLLER = "managedcluster-import-controller.open-cluster-management.io"
FINALIZER = f"{CONTROLLER}/manifestwork-cleanup"
KEEPING, RETRIED = f"{CONTROLLER}/keeping-auto-import-secret", f"{CONTROLLER}/auto-import-retried"
DISABLED = "import.open-cluster-management.io/disable-auto-import"
IMMEDIATE = "import.open-cluster-management.io/immediate-import"
AUTO_IMPORT = "auto-import-secret"
CLUSTER_LABEL = "open-cluster-management.io/cluster-name"
SIGNER = "kubernetes.io/kube-apiserver-client"
TOKEN_SECONDS = 360 * 86400
Body = dict[str, Any]


def bootstrap_account(cluster: str) -> str:
    return f"{cluster}-bootstrap-sa"


def bootstrap_role(cluster: str) -> str:
    return f"system:open-cluster-management:managedcluster:bootstrap:{cluster}"


def bootstrap(cluster: str) -> list[Body]:
    """The account that an agent comes with, and upstream's rights for it: to ask for a certificate."""
    account, role = bootstrap_account(cluster), bootstrap_role(cluster)
    verbs = ["create", "get", "list", "watch"]
    rules = [
        {"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests"], "verbs": verbs},
        {"apiGroups": ["cluster.open-cluster-management.io"], "resources": ["managedclusters"], "verbs": verbs},
    ]
    rbac = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": cluster}},
        {"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": {"name": role}, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": role},
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": cluster}],
        },
    ]


def kubeconfig(server: str, authority: str, token: str) -> str:
    """The agent's way to the hub; `authority` is the text of a certificate."""
    data = base64.b64encode(authority.encode()).decode()
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "hub", "cluster": {"server": server, "certificate-authority-data": data}}],
            "users": [{"name": "bootstrap", "user": {"token": token}}],
            "contexts": [{"name": "hub", "context": {"cluster": "hub", "user": "bootstrap", "namespace": "default"}}],
            "current-context": "hub",
        }
    )


def import_secret(cluster: str, image: str, hub_config: str, expires: str) -> Body:
    """Secret <cluster>-import: to be applied at the cluster, crds.yaml first."""
    crds = yaml.safe_dump_all(manifests.agent_crds())
    texts = {
        "crds.yaml": crds,
        "crdsv1.yaml": crds,
        "import.yaml": yaml.safe_dump_all(manifests.agent(cluster, image, hub_config)),
        "expiration": expires,
        "image": image,
    }
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    meta = {"name": f"{cluster}-import", "namespace": cluster, "labels": {f"{CONTROLLER}/import-secret": ""}}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": data}


def decoded(secret: Body | None) -> dict[str, str]:
    return {k: base64.b64decode(v).decode() for k, v in ((secret or {}).get("data") or {}).items()}


def is_stale(secret: Body | None, image: str, at: datetime | None = None) -> bool:
    """Whether <cluster>-import is to be made anew: missing, of another version, or near the end of its token."""
    texts = decoded(secret)
    if texts.get("image") != image or "import.yaml" not in texts or "expiration" not in texts:
        return True
    left = datetime.fromisoformat(texts["expiration"]) - (at or datetime.now(UTC))
    return left < timedelta(seconds=TOKEN_SECONDS / 5)


def objects_of(secret: Body) -> tuple[list[Body], list[Body]]:
    """CRDs, and the rest."""
    texts = decoded(secret)
    crds, rest = (list(yaml.safe_load_all(texts[key])) for key in ("crds.yaml", "import.yaml"))
    return crds, rest


def to_approve(request: Body, clusters: dict[str, Body]) -> bool:
    """Whether it is the first certificate of an agent that came with its cluster's bootstrap account."""
    spec, name = request["spec"], (request["metadata"].get("labels") or {}).get(CLUSTER_LABEL, "")
    cluster = clusters.get(name)
    accepted = cluster is not None and cluster["spec"].get("hubAcceptsClient")
    pending = not (request.get("status") or {}).get("conditions")
    user = f"system:serviceaccount:{name}:{bootstrap_account(name)}"
    return bool(accepted and pending and spec["signerName"] == SIGNER and spec.get("username") == user)


def approved(request: Body) -> Body:
    words = condition("Approved", "True", "AutoApprovedByCSRController", "auto approved by the import controller")
    return {**request, "status": {**(request.get("status") or {}), "conditions": [words]}}


def told(cluster: Body, status: str, reason: str, message: str) -> Body:
    """The cluster's status with the import controller's condition in it; the others are OCM's own."""
    old = cluster.get("status") or {}
    kept = [c for c in old.get("conditions") or [] if c["type"] != "ManagedClusterImportSucceeded"]
    mine = dated(old.get("conditions"), [condition("ManagedClusterImportSucceeded", status, reason, message)])
    return {**old, "conditions": [*kept, *mine]}


def retries(secret: Body) -> tuple[int, int]:
    """(tries that failed, tries that are allowed)."""
    done = (secret["metadata"].get("annotations") or {}).get(RETRIED, "0")
    return int(done), int(decoded(secret).get("autoImportRetry") or "0")


def klusterlet_work(cluster: str, image: str) -> Body:
    """What takes the agent away again: it goes with this work."""
    meta = {"name": f"{cluster}-klusterlet", "namespace": cluster}
    spec = {"workload": {"manifests": [manifests.klusterlet(cluster, image)]}}
    return {"apiVersion": "work.open-cluster-management.io/v1", "kind": "ManifestWork", "metadata": meta, "spec": spec}
