# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what a hub has of a facility, and approves its agent's request for a certificate. Judges nothing."""

from __future__ import annotations

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import NotThere
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import (
    ADDON_CONFIGS,
    ADDONS,
    AUTO_SECRET,
    CERTIFICATES,
    CLUSTERS,
    NAME_LABEL,
    WORKS,
    Object,
    Refusal,
)


class Hub:
    """Every method raises ClusterError."""

    def __init__(self, cluster: Cluster) -> None:
        self.api = cluster

    def check_served(self) -> None:
        if self.api.resource(CLUSTERS, "ManagedCluster") is None:
            raise Refusal(
                f"A hub is needed at {self.api.address()}, but that API server serves no ManagedCluster of {CLUSTERS}. "
                "Install Advanced Cluster Management or Open Cluster Management there first (role hub), or check that "
                "the address is the hub's and not the facility's."
            )

    def all(self, api_version: str, kind: str, namespace: str | None, **query: str) -> list[Object]:
        return self.api.objects(api_version, kind, namespace, **query) or []

    def one(self, api_version: str, kind: str, namespace: str | None, name: str) -> Object | None:
        found = self.all(api_version, kind, namespace, name=name)
        return found[0] if found else None

    def cluster(self, name: str) -> Object | None:
        return self.one(CLUSTERS, "ManagedCluster", None, name)

    def namespace(self, name: str) -> Object | None:
        return self.one("v1", "Namespace", None, name)

    def addon_config(self, name: str) -> Object | None:
        return self.one(ADDON_CONFIGS, "KlusterletAddonConfig", name, name)

    def auto_secret(self, name: str) -> Object | None:
        return self.one("v1", "Secret", name, AUTO_SECRET)

    def import_secret(self, name: str) -> Object | None:
        return self.one("v1", "Secret", name, f"{name}-import")

    def lease(self, name: str) -> Object | None:
        return self.one("coordination.k8s.io/v1", "Lease", name, "managed-cluster-lease")

    def requests(self, name: str) -> list[Object]:
        """CSRs, oldest first."""
        found = self.all(CERTIFICATES, "CertificateSigningRequest", None, label_selector=f"{NAME_LABEL}={name}")
        return sorted(found, key=lambda csr: csr["metadata"]["creationTimestamp"])

    def works(self, name: str) -> list[Object]:
        return self.all(WORKS, "ManifestWork", name)

    def addons(self, name: str) -> list[Object]:
        return self.all(ADDONS, "ManagedClusterAddOn", name)

    def approve(self, csr: Object) -> None:
        resource = self.api.resource(CERTIFICATES, "CertificateSigningRequest")
        told = {
            "type": "Approved", "status": "True", "reason": "ManagedFacility",
            "message": "approved by xraylab.medical_diagnosis.managed_facility",
        }  # fmt: skip
        status = csr.get("status") or {}
        body = csr | {"status": status | {"conditions": [*(status.get("conditions") or []), told]}}
        name = csr["metadata"]["name"]
        try:
            self.api.ask(f"approve CSR {name}", lambda: resource.approval.replace(body=body, name=name))
        except NotThere:
            return  # its agent asked again, under another name
