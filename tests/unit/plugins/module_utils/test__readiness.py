# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _readiness as readiness
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._readiness_table import RULES

DEPLOYED = {"replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2, "observedGeneration": 1}


def condition(kind, status="True", **more):
    return {"type": kind, "status": status, **more}


def obj(api_version, kind, status=None, spec=None, **metadata):
    made = {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {"name": "x", "namespace": "n", "generation": 1, **metadata},
    }
    return {**made, "spec": spec or {}, **({} if status is None else {"status": status})}


def conditioned(api_version, kind, *conditions, **status):
    return obj(api_version, kind, {"observedGeneration": 1, "conditions": list(conditions), **status})


def pod(phase="Running", waiting=None, ready="True", **status):
    containers = [{"name": "main", "state": {"waiting": waiting} if waiting else {}, "restartCount": 3}]
    conditions = [condition("PodScheduled"), condition("Ready", ready)]
    return obj("v1", "Pod", {"phase": phase, "conditions": conditions, "containerStatuses": containers, **status})


READY_OBJECTS = [
    obj("v1", "ConfigMap"),
    obj("rbac.authorization.k8s.io/v1", "Role"),
    obj("v1", "Service", {"loadBalancer": {}}, {"type": "ClusterIP"}),
    obj("v1", "Service", {"loadBalancer": {"ingress": [{"ip": "10.0.0.1"}]}}, {"type": "LoadBalancer"}),
    obj("v1", "PersistentVolumeClaim", {"phase": "Bound"}),
    obj("v1", "Namespace", {"phase": "Active"}),
    obj("apps/v1", "Deployment", {**DEPLOYED, "conditions": [condition("Available")]}, {"replicas": 2}),
    obj("apps/v1", "Deployment", {"observedGeneration": 1, "conditions": [condition("Available")]}, {"replicas": 0}),
    obj("apps/v1", "StatefulSet", {**DEPLOYED, "currentRevision": "a", "updateRevision": "a"}, {"replicas": 2}),
    obj(
        "apps/v1",
        "DaemonSet",
        {"observedGeneration": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1},
    ),
    obj("apps/v1", "ReplicaSet", DEPLOYED, {"replicas": 2}),
    conditioned("batch/v1", "Job", condition("Complete")),
    conditioned(
        "apiextensions.k8s.io/v1", "CustomResourceDefinition", condition("NamesAccepted"), condition("Established")
    ),
    pod(),
    pod("Succeeded", ready="False"),
    conditioned("kafka.strimzi.io/v1", "Kafka", condition("Ready"), condition("Warning")),
    conditioned("kafka.strimzi.io/v1beta2", "KafkaTopic", condition("Ready")),
    obj("kafka.strimzi.io/v1", "KafkaNodePool", {"observedGeneration": 1, "nodeIds": [0], "replicas": 1}),
    obj("datasciencecluster.opendatahub.io/v1", "DataScienceCluster", {"phase": "Ready", "conditions": []}),
    obj("kubeflow.org/v1", "Notebook", {"readyReplicas": 1, "conditions": [{"type": "Running"}]}),
    conditioned("serving.kserve.io/v1beta1", "InferenceService", condition("Ready"), condition("PredictorReady")),
    conditioned("serving.knative.dev/v1", "Service", condition("Ready")),
    conditioned("sources.knative.dev/v1beta1", "KafkaSource", condition("Ready")),
    conditioned("eventing.knative.dev/v1alpha1", "KafkaSink", condition("Ready")),
    conditioned("operator.knative.dev/v1beta1", "KnativeServing", condition("Ready")),
    obj("ceph.rook.io/v1", "CephObjectStore", {"phase": "Ready", "observedGeneration": 1}),
    obj("ceph.rook.io/v1", "CephBucketTopic", {"phase": "Ready", "ARN": "arn:aws:sns:s::t"}),
    obj("ceph.rook.io/v1", "CephBucketNotification"),
    obj("objectbucket.io/v1alpha1", "ObjectBucketClaim", {"phase": "Bound"}),
    obj("operators.coreos.com/v1alpha1", "ClusterServiceVersion", {"phase": "Succeeded", "reason": "InstallSucceeded"}),
    obj("operators.coreos.com/v1", "OperatorGroup"),
    obj("grafana.integreatly.org/v1beta1", "Grafana", {"stage": "complete", "stageStatus": "success"}),
    obj("monitoring.coreos.com/v1", "ServiceMonitor"),
    obj("operator.open-cluster-management.io/v1", "MultiClusterHub", {"phase": "Running"}),
    conditioned(
        "operator.open-cluster-management.io/v1",
        "ClusterManager",
        condition("Applied"),
        condition("HubRegistrationDegraded", "False"),
        condition("HubPlacementDegraded", "False"),
    ),
    conditioned(
        "operator.open-cluster-management.io/v1",
        "Klusterlet",
        condition("Applied"),
        condition("Available"),
        condition("HubConnectionDegraded", "False"),
    ),
    conditioned(
        "work.open-cluster-management.io/v1alpha1",
        "ManifestWorkReplicaSet",
        condition("PlacementVerified"),
        condition("PlacementRolledOut"),
        condition("ManifestworkApplied"),
    ),
    obj("argoproj.io/v1alpha1", "Application", {"sync": {"status": "Synced"}, "health": {"status": "Healthy"}}),
    obj("argoproj.io/v1beta1", "ArgoCD", {"phase": "Available", "server": "Unknown"}),
    obj("route.openshift.io/v1", "Route", {"ingress": [{"conditions": [condition("Admitted")]}]}),
    conditioned("example.com/v1", "Unlisted", condition("Ready")),
    conditioned("example.com/v1", "Unlisted", condition("Available")),
    obj("example.com/v1", "Unlisted", {"anything": 1}),
]


@pytest.mark.parametrize("ready", READY_OBJECTS, ids=lambda o: f"{o['apiVersion']} {o['kind']}")
def test_ready(ready):
    assert readiness.judge(ready) == readiness.READY


WAITING = [
    (obj("apps/v1", "Deployment", {**DEPLOYED, "observedGeneration": 0}, generation=2), "generation 0 of 2"),
    (obj("apps/v1", "Deployment", {}, {"replicas": 2}), "0 of 2 replicas are of the last version"),
    (
        obj("apps/v1", "Deployment", {**DEPLOYED, "replicas": 3}, {"replicas": 2}),
        "1 replicas of an old version still run",
    ),
    (
        obj("apps/v1", "Deployment", {**DEPLOYED, "availableReplicas": 1}, {"replicas": 2}),
        "1 of 2 replicas are available",
    ),
    (obj("apps/v1", "StatefulSet", {"readyReplicas": 0}), "0 of 1 replicas are ready"),
    (
        obj(
            "apps/v1",
            "StatefulSet",
            {**DEPLOYED, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            {"replicas": 2},
        ),
        "1 of 2 replicas are of the last version",
    ),
    (obj("apps/v1", "DaemonSet", {}), "has no status yet"),
    (
        conditioned(
            "work.open-cluster-management.io/v1alpha1",
            "ManifestWorkReplicaSet",
            condition("PlacementVerified"),
            condition("PlacementRolledOut"),
            condition("ManifestworkApplied", "False", reason="NotAsExpected", message=""),
        ),
        "ManifestworkApplied is False (NotAsExpected)",
    ),
    (
        conditioned(
            "operator.open-cluster-management.io/v1",
            "Klusterlet",
            condition("Applied"),
            condition("Available"),
            condition("HubConnectionDegraded", reason="BootstrapSecretError", message="Unauthorized"),
        ),
        "HubConnectionDegraded is True (BootstrapSecretError: Unauthorized)",
    ),
    (obj("v1", "PersistentVolumeClaim", {"phase": "Pending"}), "status.phase is Pending"),
    (obj("v1", "Service", {}, {"type": "LoadBalancer"}), "load balancer has no address"),
    (
        obj(
            "v1",
            "Pod",
            {
                "phase": "Pending",
                "conditions": [condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes")],
            },
        ),
        "Unschedulable: 0/1 nodes",
    ),
    (pod(waiting={"reason": "CrashLoopBackOff", "message": "back-off"}), "CrashLoopBackOff: back-off"),
    (
        conditioned("kafka.strimzi.io/v1", "Kafka", condition("NotReady", reason="Boom", message="no pool")),
        "has no condition Ready yet (Boom: no pool)",
    ),
    (obj("kafka.strimzi.io/v1", "Kafka"), "has no condition Ready yet"),
    (obj("kafka.strimzi.io/v1", "KafkaNodePool"), "status.observedGeneration is still empty"),
    (
        conditioned("serving.knative.dev/v1", "Service", condition("Ready", "Unknown", reason="Deploying")),
        "Ready is Unknown (Deploying)",
    ),
    (
        obj("operators.coreos.com/v1alpha1", "Subscription", {"state": "UpgradePending"}),
        "status.installedCSV is still empty",
    ),
    (
        obj(
            "operators.coreos.com/v1alpha1",
            "ClusterServiceVersion",
            {"phase": "Installing", "reason": "Wait", "message": "x"},
        ),
        "Installing (Wait: x)",
    ),
    (obj("ceph.rook.io/v1", "CephBucketTopic", {"phase": "Ready"}), "status.ARN is still empty"),
    (obj("ceph.rook.io/v1", "CephBucketTopic", {"phase": "Reconciling"}), "status.phase is Reconciling"),
    (obj("objectbucket.io/v1alpha1", "ObjectBucketClaim", {"phase": "Pending"}), "status.phase is Pending"),
    (obj("example.com/v1", "Unlisted"), "ready_when: exists"),
    (
        conditioned("example.com/v1", "Unlisted", condition("Reconciling", reason="Busy"), condition("Ready")),
        "Reconciling is True (Busy)",
    ),
    (
        obj("v1", "ConfigMap", deletionTimestamp="now", finalizers=["a/b"]),
        "is being deleted and held by its finalizers a/b",
    ),
    (obj("route.openshift.io/v1", "Route"), "no router has admitted it"),
]


@pytest.mark.parametrize(("waiting", "words"), WAITING, ids=[f"{o['kind']} {words}" for o, words in WAITING])
def test_waiting(waiting, words):
    verdict = readiness.judge(waiting)
    assert verdict.state == "waiting"
    assert words in verdict.reason


FAILED = [
    (
        "failing",
        obj("ceph.rook.io/v1", "CephBucketTopic", {"phase": "ReconcileFailed", "message": "no answer"}),
        "no answer",
    ),
    (
        "failed",
        conditioned("batch/v1", "Job", condition("Failed", reason="BackoffLimitExceeded", message="m")),
        "BackoffLimitExceeded: m",
    ),
    (
        "failed",
        obj(
            "operators.coreos.com/v1alpha1",
            "ClusterServiceVersion",
            {"phase": "Failed", "reason": "UnsupportedOperatorGroup"},
        ),
        "Failed (UnsupportedOperatorGroup)",
    ),
    (
        "failed",
        conditioned("apps/v1", "Deployment", condition("Progressing", "False", reason="ProgressDeadlineExceeded")),
        "ProgressDeadlineExceeded",
    ),
    ("failed", obj("v1", "PersistentVolumeClaim", {"phase": "Lost"}), "Lost"),
    ("failed", pod("Failed", reason="Evicted", message="disk"), "Failed (Evicted: disk)"),
    ("failed", obj("build.openshift.io/v1", "Build", {"phase": "Error"}), "Error"),
    ("failed", conditioned("example.com/v1", "Unlisted", condition("Stalled", reason="Bad")), "Stalled is True (Bad)"),
    (
        "failing",
        pod(waiting={"reason": "ImagePullBackOff", "message": "no such image"}),
        "ImagePullBackOff: no such image",
    ),
    (
        "failing",
        conditioned("operators.coreos.com/v1alpha1", "Subscription", condition("ResolutionFailed", message="none")),
        "ResolutionFailed is True (none)",
    ),
    ("failing", obj("ceph.rook.io/v1", "CephObjectStore", {"phase": "Failure"}), "Failure"),
    (
        "failing",
        conditioned(
            "datasciencecluster.opendatahub.io/v1",
            "DataScienceCluster",
            condition("kserveReady", "False", reason="ReconcileFailed", message="no mesh"),
            phase="Ready",
        ),
        "no mesh",
    ),
    (
        "failing",
        conditioned(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            condition("NamesAccepted", "False", reason="Conflict"),
        ),
        "Conflict",
    ),
]


@pytest.mark.parametrize(("state", "failed", "words"), FAILED, ids=[f"{o['kind']} {words}" for _s, o, words in FAILED])
def test_failed(state, failed, words):
    verdict = readiness.judge(failed)
    assert verdict.state == state
    assert words in verdict.reason


def test_a_subscription_needs_its_operator_version_to_work_too():
    verdict = readiness.judge(obj("operators.coreos.com/v1alpha1", "Subscription", {"installedCSV": "op.v1"}))
    assert verdict.state == "ready"
    assert verdict.then == ("operators.coreos.com/v1alpha1", "ClusterServiceVersion", "op.v1")


def test_conditions_and_existence_can_be_asked_for_instead():
    kafka = conditioned("kafka.strimzi.io/v1", "Kafka", condition("Warning"))
    assert readiness.judge(kafka, ["Warning"]) == readiness.READY
    assert readiness.judge(kafka, ["Warning=False"]).state == "waiting"
    assert readiness.judge(obj("example.com/v1", "Unlisted"), exists=True) == readiness.READY


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "selector"),
    [
        ("apps/v1", "Deployment", {"selector": {"matchLabels": {"a": "b", "c": "d"}}}, "a=b,c=d"),
        ("v1", "Service", {"selector": {"a": "b"}}, "a=b"),
        ("v1", "Service", {}, ""),
        ("serving.knative.dev/v1", "Service", {}, "serving.knative.dev/service=x"),
        ("kafka.strimzi.io/v1", "Kafka", {}, "strimzi.io/cluster=x"),
        (
            "operators.coreos.com/v1alpha1",
            "ClusterServiceVersion",
            {
                "install": {
                    "spec": {"deployments": [{"name": "op", "spec": {"selector": {"matchLabels": {"name": "op"}}}}]}
                }
            },
            "name=op",
        ),
        ("v1", "ConfigMap", {}, ""),
    ],
)
def test_the_pods_of_an_object_are_found(api_version, kind, spec, selector):
    assert readiness.pod_selector(obj(api_version, kind, spec=spec)) == selector


@pytest.mark.parametrize("rule", RULES.values(), ids=[" ".join(name) for name in RULES])
def test_every_rule_asks_for_something_and_names_a_known_check(rule):
    assert rule.exists or rule.conditions or rule.values or rule.filled or rule.workload
    assert not rule.workload or rule.workload in readiness.WORKLOADS
