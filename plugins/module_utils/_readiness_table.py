# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How each kind says that it works, as data. _readiness reads it and judges any other kind as kstatus does.

Sources: the operators' own types and status constants, and what was seen on clusters.
"""

from __future__ import annotations

from dataclasses import dataclass

Check = tuple[str, tuple[str, ...]]


@dataclass(frozen=True)
class Rule:
    """All of these must hold. Paths are like "status.phase"; a condition may carry its status: "Stalled=False"."""

    conditions: tuple[str, ...] = ()
    values: tuple[Check, ...] = ()
    """(path, values that mean ready)."""
    filled: tuple[str, ...] = ()
    """Paths that must hold something."""
    failed: tuple[Check, ...] = ()
    """(path, values that no waiting will change)."""
    failed_conditions: tuple[str, ...] = ()
    failing: tuple[Check, ...] = ()
    """(path, values that are errors, which the controller may still overcome)."""
    failing_conditions: tuple[str, ...] = ()
    workload: str = ""
    """Name of a function in _readiness for kinds that count replicas."""
    complaints: str = ""
    """Ending of the types of conditions that tell of an error by being there: they have no status."""
    exists: bool = False
    """Nothing to wait on but the object itself: its kind never writes a status."""


def phase(
    *ready: str, failed: tuple[str, ...] = (), failing: tuple[str, ...] = (), path: str = "status.phase", **more: tuple
) -> Rule:
    return Rule(
        values=((path, ready),),
        failed=((path, failed),) if failed else (),
        failing=((path, failing),) if failing else (),
        **more,
    )


READY = Rule(conditions=("Ready",))
AVAILABLE = Rule(conditions=("Available",))
EXISTS = Rule(exists=True)

# (API group, kind) -> Rule; kind "*" stands for all others of the group.
RULES: dict[tuple[str, str], Rule] = {
    ("", "Pod"): Rule(workload="pod"),
    ("", "Service"): Rule(workload="service"),
    ("", "Namespace"): phase("Active"),
    ("", "PersistentVolumeClaim"): phase("Bound", failed=("Lost",)),
    ("", "PersistentVolume"): phase("Bound", "Available", failed=("Failed",)),
    ("", "Node"): READY,
    ("apps", "Deployment"): Rule(workload="deployment"),
    ("apps", "StatefulSet"): Rule(workload="stateful_set"),
    ("apps", "DaemonSet"): Rule(workload="daemon_set"),
    ("apps", "ReplicaSet"): Rule(workload="replica_set"),
    ("batch", "Job"): Rule(conditions=("Complete",), failed_conditions=("Failed",)),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): Rule(
        conditions=("NamesAccepted", "Established"), failing_conditions=("NamesAccepted=False",)
    ),
    ("apiregistration.k8s.io", "APIService"): AVAILABLE,
    ("gateway.networking.k8s.io", "Gateway"): Rule(conditions=("Programmed",)),
    # Operator Lifecycle Manager
    ("operators.coreos.com", "ClusterServiceVersion"): phase("Succeeded", failed=("Failed",)),
    ("operators.coreos.com", "InstallPlan"): phase("Complete", failed=("Failed",)),
    ("operators.coreos.com", "Subscription"): Rule(
        filled=("status.installedCSV",),
        failed_conditions=("BundleUnpackFailed", "InstallPlanFailed"),
        failing_conditions=("ResolutionFailed",),
    ),
    ("operators.coreos.com", "CatalogSource"): phase("READY", path="status.connectionState.lastObservedState"),
    ("operators.coreos.com", "OperatorGroup"): EXISTS,
    ("packages.operators.coreos.com", "PackageManifest"): Rule(filled=("status.channels",)),
    # Kafka (Strimzi). A node pool has no Ready condition of its own.
    ("kafka.strimzi.io", "KafkaNodePool"): Rule(filled=("status.observedGeneration", "status.nodeIds")),
    ("kafka.strimzi.io", "*"): READY,
    # Knative
    ("operator.knative.dev", "*"): READY,
    ("operator.serverless.openshift.io", "*"): READY,
    ("serving.knative.dev", "*"): READY,
    ("eventing.knative.dev", "*"): READY,
    ("sources.knative.dev", "*"): READY,
    ("messaging.knative.dev", "*"): READY,
    ("keda.sh", "ScaledObject"): READY,
    # Ceph (Rook) and OpenShift Data Foundation
    ("ceph.rook.io", "CephBucketNotification"): EXISTS,
    ("ceph.rook.io", "CephBucketTopic"): phase("Ready", failing=("ReconcileFailed",), filled=("status.ARN",)),
    ("ceph.rook.io", "CephObjectStore"): phase("Ready", "Connected", failing=("Failure",)),
    ("ceph.rook.io", "*"): phase("Ready", "Connected", failing=("ReconcileFailed", "Failure")),
    ("objectbucket.io", "ObjectBucketClaim"): phase("Bound", failed=("Failed",)),
    ("objectbucket.io", "ObjectBucket"): phase("Bound", failed=("Failed",)),
    ("ocs.openshift.io", "StorageCluster"): phase("Ready", failing=("Error",)),
    ("noobaa.io", "NooBaa"): phase("Ready", failing=("Rejected",)),
    # Grafana and monitoring
    ("grafana.integreatly.org", "Grafana"): Rule(
        values=(("status.stage", ("complete",)), ("status.stageStatus", ("success",))),
        failing=(("status.stageStatus", ("failed",)),),
    ),
    ("grafana.integreatly.org", "GrafanaDashboard"): Rule(conditions=("DashboardSynchronized",)),
    ("grafana.integreatly.org", "GrafanaDatasource"): Rule(conditions=("DatasourceSynchronized",)),
    ("monitoring.coreos.com", "Prometheus"): AVAILABLE,
    ("monitoring.coreos.com", "Alertmanager"): AVAILABLE,
    ("monitoring.coreos.com", "ThanosRuler"): AVAILABLE,
    ("monitoring.coreos.com", "*"): EXISTS,
    # Advanced Cluster Management, GitOps
    ("operator.open-cluster-management.io", "MultiClusterHub"): phase("Running", failing=("Error",)),
    ("operator.open-cluster-management.io", "ClusterManager"): Rule(
        conditions=("Applied", "HubRegistrationDegraded=False", "HubPlacementDegraded=False"),
        failing_conditions=("Applied=False",),
    ),
    ("operator.open-cluster-management.io", "Klusterlet"): Rule(
        conditions=("Applied", "Available", "HubConnectionDegraded=False"), failing_conditions=("Applied=False",)
    ),
    ("multicluster.openshift.io", "MultiClusterEngine"): phase("Available", failing=("Error",)),
    ("cluster.open-cluster-management.io", "ManagedCluster"): Rule(
        conditions=("HubAcceptedManagedCluster", "ManagedClusterJoined", "ManagedClusterConditionAvailable"),
        failing_conditions=("ManagedClusterImportSucceeded=False",),
    ),
    ("cluster.open-cluster-management.io", "Placement"): Rule(conditions=("PlacementSatisfied",)),
    ("cluster.open-cluster-management.io", "ManagedClusterSetBinding"): Rule(conditions=("Bound",)),
    ("cluster.open-cluster-management.io", "ManagedClusterSet"): EXISTS,
    ("addon.open-cluster-management.io", "ManagedClusterAddOn"): AVAILABLE,
    ("work.open-cluster-management.io", "ManifestWork"): Rule(conditions=("Applied", "Available")),
    ("work.open-cluster-management.io", "ManifestWorkReplicaSet"): Rule(
        conditions=("PlacementVerified", "PlacementRolledOut", "ManifestworkApplied")
    ),
    ("agent.open-cluster-management.io", "KlusterletAddonConfig"): EXISTS,
    ("authentication.open-cluster-management.io", "ManagedServiceAccount"): Rule(
        conditions=("SecretCreated", "TokenReported")
    ),
    ("apps.open-cluster-management.io", "GitOpsCluster"): READY,
    ("argoproj.io", "Application"): Rule(
        values=(
            ("status.sync.status", ("Synced",)),
            ("status.health.status", ("Healthy",)),
            ("status.operationState.phase", ("Succeeded", "")),
        ),
        failing=(("status.operationState.phase", ("Failed", "Error")),),
        complaints="Error",
    ),
    ("argoproj.io", "ApplicationSet"): Rule(
        conditions=("ErrorOccurred=False", "ResourcesUpToDate"), failing_conditions=("ErrorOccurred",)
    ),
    ("argoproj.io", "ArgoCD"): phase("Available", failing=("Failed",)),
    ("argoproj.io", "AppProject"): EXISTS,
    # Quay, Open Data Hub, OpenShift
    ("quay.redhat.com", "QuayRegistry"): Rule(
        conditions=("Available", "ComponentsCreated"), failing_conditions=("RolloutBlocked",)
    ),
    # Until 2.x the phase is Ready although components failed. Their conditions' names changed meanwhile.
    ("datasciencecluster.opendatahub.io", "DataScienceCluster"): phase(
        "Ready",
        failing=("Error",),
        failing_conditions=(
            "workbenchesReady=False",
            "WorkbenchesReady=False",
            "kserveReady=False",
            "KserveReady=False",
        ),
    ),
    ("dscinitialization.opendatahub.io", "DSCInitialization"): phase("Ready", failing=("Error",)),
    ("serving.kserve.io", "InferenceService"): READY,
    ("serving.kserve.io", "ServingRuntime"): EXISTS,
    ("kubeflow.org", "Notebook"): Rule(filled=("status.readyReplicas",)),
    ("route.openshift.io", "Route"): Rule(workload="route"),
    ("build.openshift.io", "Build"): phase("Complete", failed=("Failed", "Error", "Cancelled")),
    ("build.openshift.io", "BuildConfig"): EXISTS,
    ("image.openshift.io", "ImageStream"): EXISTS,
    ("config.openshift.io", "ClusterOperator"): Rule(conditions=("Available",), failing_conditions=("Degraded",)),
}

# Which pods do the work of an object; {name} is the object's. Kinds with a spec.selector need no entry.
POD_LABELS: dict[tuple[str, str], str] = {
    ("serving.knative.dev", "Service"): "serving.knative.dev/service={name}",
    ("serving.knative.dev", "Revision"): "serving.knative.dev/revision={name}",
    ("kafka.strimzi.io", "Kafka"): "strimzi.io/cluster={name}",
    ("kafka.strimzi.io", "KafkaNodePool"): "strimzi.io/pool-name={name}",
    ("ceph.rook.io", "CephObjectStore"): "rook_object_store={name}",
    ("serving.kserve.io", "InferenceService"): "serving.kserve.io/inferenceservice={name}",
    ("kubeflow.org", "Notebook"): "notebook-name={name}",
}

# Groups whose unlisted kinds have no status by nature: their objects are ready once they exist.
BUILT_IN_GROUPS = ("", "apps", "batch", "autoscaling", "policy", "authorization.openshift.io", "security.openshift.io")
