# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A facility as it is asked for, and the objects that stand for it on its hub.

Pure: objects are dicts as the API server returns them. _managed_verdicts judges how far a registration is.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]
CLUSTERS = "cluster.open-cluster-management.io/v1"
ADDON_CONFIGS = "agent.open-cluster-management.io/v1"
CERTIFICATES = "certificates.k8s.io/v1"
WORKS = "work.open-cluster-management.io/v1"
ADDONS = "addon.open-cluster-management.io/v1alpha1"
KLUSTERLETS = "operator.open-cluster-management.io/v1"
SET_LABEL = "cluster.open-cluster-management.io/clusterset"
NAME_LABEL = "open-cluster-management.io/cluster-name"
IMPORT = "import.open-cluster-management.io"
KEEPING = "managedcluster-import-controller.open-cluster-management.io/keeping-auto-import-secret"
AUTO_SECRET = "auto-import-secret"  # noqa: S105
SIGNER = "kubernetes.io/kube-apiserver-client"
UPSTREAM_USER = "system:serviceaccount:open-cluster-management:agent-registration-bootstrap"
FIELD_MANAGER = "xraylab"
DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
HUB_ITSELF = "local-cluster"
ACCEPTED, JOINED = "HubAcceptedManagedCluster", "ManagedClusterJoined"
AVAILABLE, CLOCK = "ManagedClusterConditionAvailable", "ManagedClusterConditionClockSynced"
IMPORTED = "ManagedClusterImportSucceeded"


class Refusal(Exception):
    """What is asked for cannot be had, or would do harm: a sentence with the cure."""


@dataclass(frozen=True)
class Facility:
    """One facility as it is asked for; the fields are the module's options."""

    name: str
    labels: dict[str, str] = field(default_factory=dict)
    cluster_set: str | None = None
    addons: dict[str, Any] | None = None
    import_by: str = "none"
    hosting_cluster: str = HUB_ITSELF
    keep_secret: bool = False
    accept: bool = True
    lease_seconds: int = 60
    bootstrap_users: tuple[str, ...] = ()

    @property
    def is_hub(self) -> bool:
        return self.name == HUB_ITSELF

    @property
    def by_secret(self) -> bool:
        return self.import_by in ("auto_secret", "hosted")

    def users(self) -> tuple[str, ...]:
        """Who may ask for the agent's first certificate."""
        own = f"system:serviceaccount:{self.name}:{self.name}-bootstrap-sa"
        return self.bootstrap_users or ((UPSTREAM_USER,) if self.import_by == "none" else (own,))


def status(obj: Object | None) -> dict[str, Any]:
    return (obj or {}).get("status") or {}


def condition(obj: Object | None, kind: str) -> dict[str, Any]:
    """A condition of an object, {} while it has none of that type."""
    found = status(obj).get("conditions") or []
    return next((entry for entry in found if entry["type"] == kind), {})


def holds(obj: Object | None, kind: str) -> bool:
    return condition(obj, kind).get("status") == "True"


def works(cluster: Object | None) -> bool:
    """Whether a ManagedCluster is in touch with its hub. After a denial, Available goes on being true for a while."""
    accepted = bool(cluster and (cluster.get("spec") or {}).get("hubAcceptsClient"))
    return accepted and all(holds(cluster, kind) for kind in (ACCEPTED, JOINED, AVAILABLE))


# What is asked for, as objects


def check(facility: Facility) -> None:
    if not DNS_LABEL.fullmatch(facility.name):
        raise Refusal(
            f"Facility {facility.name}: a name of at most 63 lower-case letters, digits and hyphens was expected, "
            "because the hub makes a namespace of that name. The hub itself accepts such a name, but the cluster can "
            "never be used. Give it another name."
        )
    if SET_LABEL in facility.labels:
        raise Refusal(f"Facility {facility.name}: give its set as cluster_set, not as the label {SET_LABEL}.")
    if facility.is_hub and facility.import_by != "none":
        raise Refusal(
            f"Facility {facility.name} is the hub's own cluster, which the hub imports by itself: leave out import_by."
        )


def managed_cluster(facility: Facility) -> Object:
    labels = dict(facility.labels)
    if facility.cluster_set:
        labels[SET_LABEL] = facility.cluster_set
    hosted = {
        f"{IMPORT}/klusterlet-deploy-mode": "Hosted",
        f"{IMPORT}/hosting-cluster-name": facility.hosting_cluster,
    }
    metadata: Object = {"name": facility.name, "labels": labels}
    if facility.import_by == "hosted":
        metadata["annotations"] = hosted
    spec = {"hubAcceptsClient": facility.accept, "leaseDurationSeconds": facility.lease_seconds}
    obj: Object = {"apiVersion": CLUSTERS, "kind": "ManagedCluster", "metadata": metadata}
    # How the hub looks after itself is its own affair.
    return obj if facility.is_hub else obj | {"spec": spec}


def namespace(facility: Facility) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": facility.name}}


def addon_config(facility: Facility) -> Object:
    own = {"clusterName": facility.name, "clusterNamespace": facility.name}
    return {
        "apiVersion": ADDON_CONFIGS, "kind": "KlusterletAddonConfig",
        "metadata": {"name": facility.name, "namespace": facility.name},
        "spec": {**(facility.addons or {}), **own},
    }  # fmt: skip


def auto_secret(facility: Facility, credentials: dict[str, str]) -> Object:
    """`credentials` are kubeconfig, or server and token."""
    metadata: Object = {"name": AUTO_SECRET, "namespace": facility.name}
    if facility.keep_secret:
        metadata["annotations"] = {KEEPING: ""}
    data = {"autoImportRetry": "5", **credentials}
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": encoded}


def shown(obj: Object | None) -> Any:
    """What a diff shows of an object that is applied; of a Secret, its keys."""
    if obj is None:
        return None
    if obj["kind"] == "Secret":
        return dict.fromkeys(sorted(obj.get("data") or {}), "(hidden)")
    metadata = obj["metadata"]
    seen = {key: metadata.get(key) or {} for key in ("labels", "annotations")} | {"spec": obj.get("spec") or {}}
    return {key: value for key, value in seen.items() if value}


def same_secret(one: Object | None, other: Object) -> bool:
    return bool(one) and all((one or {}).get("data", {}).get(key) == value for key, value in other["data"].items())


# What is taken away


def is_own_work(facility: str, work: Object) -> bool:
    """Whether the import controller made this ManifestWork to bring the agent itself: it takes it away in its time."""
    return work["metadata"]["name"] in (f"{facility}-klusterlet", f"{facility}-klusterlet-crds")
