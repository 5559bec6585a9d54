# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what OLM has on a cluster. Judges nothing."""

from __future__ import annotations

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster import Cluster
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._olm import (
    V1,
    V1ALPHA1,
    Object,
    Operator,
    Place,
    Refusal,
    status,
)

PACKAGES = "packages.operators.coreos.com/v1"


class Olm:
    """Every method raises ClusterError."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def check_served(self) -> None:
        if self.cluster.resource(V1ALPHA1, "Subscription") is None:
            raise Refusal(
                f"The Operator Lifecycle Manager is needed at {self.cluster.address()}, but that API server serves no "
                f"Subscription of {V1ALPHA1}. Install OLM there first; on OpenShift it is a part of the cluster."
            )

    def place(self, name: str) -> Place:
        place = Place(
            name,
            exists=bool(self.all("v1", "Namespace", None, name=name)),
            groups=self.all(V1, "OperatorGroup", name),
            subscriptions=self.all(V1ALPHA1, "Subscription", name),
            plans=self.all(V1ALPHA1, "InstallPlan", name),
            # OLM copies a CSV that watches all namespaces into each of them.
            csvs=self.all(V1ALPHA1, "ClusterServiceVersion", name, label_selector="!olm.copiedFrom"),
        )
        # A cluster has many copies and they are large: read those alone that stand where an own CSV should.
        for csv in {status(entry).get("currentCSV") for entry in place.subscriptions} - {None}:
            if not place.csv(csv):
                place.copies += self.all(V1ALPHA1, "ClusterServiceVersion", name, name=csv)
        return place

    def catalogs(self) -> dict[tuple[str, str], Object]:
        found = self.all(V1ALPHA1, "CatalogSource", None)
        return {(entry["metadata"]["namespace"], entry["metadata"]["name"]): entry for entry in found}

    def all(self, api_version: str, kind: str, namespace: str | None, **query: str) -> list[Object]:
        return self.cluster.objects(api_version, kind, namespace, **query) or []

    def manifests(self, operator: Operator) -> list[Object] | None:
        """PackageManifests of the operator's catalog, None while nobody serves any. A large answer on OpenShift."""
        return self.packages(operator, label_selector=f"catalog={operator.source}")

    def packages(self, operator: Operator, **query: str) -> list[Object] | None:
        """They only help to say what is wrong: it is no error that they cannot be read."""
        try:
            return self.cluster.objects(PACKAGES, "PackageManifest", operator.source_namespace, **query)
        except ClusterError:
            return None

    def manifest(self, operator: Operator) -> Object | None:
        """The PackageManifest of the operator in its own catalog: several catalogs may have a package of that name."""
        found = self.packages(operator, name=operator.package)
        if found and status(found[0]).get("catalogSource") != operator.source:
            found = [entry for entry in self.manifests(operator) or [] if entry["metadata"]["name"] == operator.package]
        return found[0] if found else None
