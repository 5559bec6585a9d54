# SPDX-License-Identifier: GPL-3.0-or-later
"""The hub of the lab: OCM's own controllers behind a MultiClusterHub, which manages its own cluster."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator

import pytest
from conftest import LAB_HOME, wait_for

pytestmark = pytest.mark.lab
CLUSTERS, WORKS = "cluster.open-cluster-management.io", "work.open-cluster-management.io"


class Hub:
    """Objects of the hub by kubectl's own words; `namespace` is the test's own and goes in the end."""

    def __init__(self) -> None:
        from kubernetes import client, config

        api = config.new_client_from_config(str(LAB_HOME / "admin.kubeconfig"))
        self.core, self.custom = client.CoreV1Api(api), client.CustomObjectsApi(api)
        self.namespace = f"e2e-hub-{uuid.uuid4().hex[:6]}"
        self.missing = client.ApiException

    def conditions(self, plural: str, name: str, version: str = "v1") -> dict[str, tuple[str, str]]:
        found = self.custom.get_cluster_custom_object(CLUSTERS, version, plural, name)
        return {c["type"]: (c["status"], c["reason"]) for c in found.get("status", {}).get("conditions", [])}

    def make(self, group: str, version: str, plural: str, kind: str, name: str, spec: dict) -> None:
        body = {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}
        self.custom.create_namespaced_custom_object(group, version, self.namespace, plural, body)

    def config_map(self, name: str) -> dict[str, str] | None:
        try:
            return self.core.read_namespaced_config_map(name, self.namespace).data
        except self.missing as error:
            if error.status != 404:
                raise
            return None


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    if not (LAB_HOME / "admin.kubeconfig").exists():
        pytest.skip("no lab (make lab)")
    hub = Hub()
    found = hub.custom.list_cluster_custom_object("operator.open-cluster-management.io", "v1", "multiclusterhubs")
    if not found["items"]:
        pytest.skip("no hub in the lab (ansible-playbook site.yml -i inventories/lab)")
    hub.core.create_namespace({"metadata": {"name": hub.namespace}})
    yield hub
    hub.core.delete_namespace(hub.namespace)


def test_the_hub_runs_and_manages_its_own_cluster(hub):
    found = hub.custom.list_cluster_custom_object("operator.open-cluster-management.io", "v1", "multiclusterhubs")
    assert [entry["status"]["phase"] for entry in found["items"]] == ["Running"]
    conditions = hub.conditions("managedclusters", "local-cluster")
    for name in (
        "HubAcceptedManagedCluster",
        "ManagedClusterJoined",
        "ManagedClusterConditionAvailable",
        "ManagedClusterImportSucceeded",
    ):
        assert conditions[name][0] == "True", name
    pods = hub.core.list_namespaced_pod("open-cluster-management-hub").items
    assert {pod.status.phase for pod in pods} == {"Running"}
    assert any("registration-controller" in pod.metadata.name for pod in pods)


def test_what_is_placed_arrives_and_goes(hub):
    """Set, binding, placement and replica set are OCM's; so is the agent that applies it."""
    hub.make(
        CLUSTERS, "v1beta2", "managedclustersetbindings", "ManagedClusterSetBinding", "global", {"clusterSet": "global"}
    )
    selector = {"labelSelector": {"matchLabels": {"local-cluster": "true"}}}
    placement = {"clusterSets": ["global"], "predicates": [{"requiredClusterSelector": selector}]}
    hub.make(CLUSTERS, "v1beta1", "placements", "Placement", "hub", placement)
    manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "delivered", "namespace": hub.namespace},
        "data": {"by": "the hub"},
    }
    work = {
        "placementRefs": [{"name": "hub"}],
        "manifestWorkTemplate": {"workload": {"manifests": [manifest]}},
    }
    hub.make(WORKS, "v1alpha1", "manifestworkreplicasets", "ManifestWorkReplicaSet", "delivered", work)
    found = wait_for("the ConfigMap that the hub delivers", lambda: hub.config_map("delivered"), 40)
    assert found == {"by": "the hub"}
    hub.custom.delete_namespaced_custom_object(WORKS, "v1alpha1", hub.namespace, "manifestworkreplicasets", "delivered")
    wait_for("its end", lambda: hub.config_map("delivered") is None, 40)


def test_a_facility_that_cannot_be_reached_is_told_and_let_go(hub):
    """The import controller's part: auto-import-secret, <cluster>-import, the condition, the namespace."""
    name = f"{hub.namespace}-facility"
    body = {
        "apiVersion": f"{CLUSTERS}/v1",
        "kind": "ManagedCluster",
        "metadata": {"name": name},
        "spec": {"hubAcceptsClient": True},
    }
    hub.custom.create_cluster_custom_object(CLUSTERS, "v1", "managedclusters", body)

    def prepared() -> dict[str, str] | None:
        try:
            return hub.core.read_namespaced_secret(f"{name}-import", name).data
        except hub.missing:
            return None

    texts = wait_for("its import secret", prepared, 30)
    assert {"crds.yaml", "import.yaml", "expiration"} <= set(texts)
    assert name in base64.b64decode(texts["import.yaml"]).decode()
    secret = {
        "metadata": {"name": "auto-import-secret"},
        "stringData": {"autoImportRetry": "1", "server": "https://127.0.0.1:1", "token": "none"},
    }
    hub.core.create_namespaced_secret(name, secret)
    failed = ("False", "ManagedClusterImportFailed")
    wait_for(
        "the failed import",
        lambda: hub.conditions("managedclusters", name).get("ManagedClusterImportSucceeded") == failed,
        30,
    )
    hub.custom.delete_cluster_custom_object(CLUSTERS, "v1", "managedclusters", name)

    def gone() -> bool:
        names = {entry.metadata.name for entry in hub.core.list_namespace().items}
        left = hub.custom.list_cluster_custom_object(CLUSTERS, "v1", "managedclusters")["items"]
        return name not in names and name not in {entry["metadata"]["name"] for entry in left}

    wait_for("the cluster and its namespace to go", gone, 60)
