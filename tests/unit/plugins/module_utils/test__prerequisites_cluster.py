# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from types import SimpleNamespace

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._cluster_errors import ClusterError, Unreachable
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._prerequisites_cluster import (
    Prerequisites,
    findings_of,
)

OPTIONS = {
    "namespace": "n",
    "kubernetes_versions": ">=1.27,<1.38",
    "operators": [],
    "storage_nodes": None,
    "pods": [{"what": "function", "count": 2, "containers": [{"requests": {"cpu": "1"}}]}],
    "volumes": [{"what": "Kafka", "count": 1, "size": "1Gi", "storage_class": ""}],
    "rights": [{"group": "apps", "resource": "deployments", "verbs": ["create"]}],
}


class FakeCluster:
    """Serves the kinds it is given; `denied` are kinds that this user may not read."""

    def __init__(self, kinds, denied=(), allowed=True, error=ClusterError):
        self.kinds, self.denied, self.granted, self.error = kinds, denied, allowed, error
        self.made = []

    def version(self):
        return "v1.30.1"

    def ask(self, _deed, request):
        return request()

    def resource(self, _api_version, kind):
        return self if kind in self.kinds or kind == "SelfSubjectAccessReview" else None

    def objects(self, _api_version, kind, _namespace, **_query):
        if kind in self.denied:
            raise self.error(f"Could not read {kind}: 403.")
        return self.kinds.get(kind)

    def create(self, body):
        self.made.append(body["kind"])
        return SimpleNamespace(to_dict=lambda: {"status": {"allowed": self.granted}})


NODE = {
    "metadata": {"name": "a"},
    "spec": {},
    "status": {
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "9"},
        "conditions": [{"type": "Ready", "status": "True"}],
    },
}
WHOLE = {
    "Node": [NODE],
    "Pod": [],
    "StorageClass": [
        {"metadata": {"name": "s", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}
    ],
    "Service": [{"metadata": {"name": "kube-dns"}}],
    "EndpointSlice": [{"endpoints": [{"conditions": {"ready": True}}]}],
    "Namespace": [],
}


def found(cluster, **options):
    return list(findings_of(Prerequisites(cluster, {**OPTIONS, **options})))


def wrong(findings):
    return {finding.where: finding.seen for finding in findings if finding.ok is False}


def test_a_cluster_with_everything_has_no_fault_and_is_only_asked():
    cluster = FakeCluster(WHOLE)
    findings = found(cluster)
    assert {finding.ok for finding in findings} == {True}
    assert {finding.where for finding in findings} == {"cluster", "nodes", "storage", "quota", "DNS", "rights"}
    assert set(cluster.made) == {"SelfSubjectAccessReview"}


def test_an_empty_cluster_gives_all_faults_at_once():
    findings = found(
        FakeCluster({}, allowed=False), operators=[{"package": "odf-operator", "namespace": "s"}], storage_nodes=[]
    )
    assert set(wrong(findings)) == {"operators", "nodes", "storage", "rights"}
    assert [finding.where for finding in findings if finding.ok is None] == ["operators", "DNS"]
    assert any("openshift-storage" in finding.what for finding in findings if finding.ok is False)


def test_what_cannot_be_read_is_not_known_and_ends_no_other_check():
    findings = found(FakeCluster(WHOLE, denied=("Node", "Pod", "LimitRange", "Service", "Namespace")))
    unknown = [(finding.where, finding.seen) for finding in findings if finding.ok is None]
    assert [where for where, _seen in unknown] == ["nodes", "nodes", "quota", "DNS"]
    assert unknown[0][1] == "nobody can tell: Could not read Node: 403."
    assert wrong(findings) == {}
    assert findings[-1].where == "rights"


def test_a_cluster_that_goes_away_is_a_fault():
    findings = found(FakeCluster(WHOLE, denied=("StorageClass",), error=Unreachable))
    assert wrong(findings) == {"storage": "Could not read StorageClass: 403."}


def test_a_value_that_is_no_quantity_is_a_fault_of_the_inventory():
    pods = [{"what": "function", "count": 1, "containers": [{"requests": {"cpu": "lots"}}]}]
    assert "'lots'" in wrong(found(FakeCluster(WHOLE), pods=pods))["nodes"]


def test_an_unforeseen_shape_ends_no_other_check():
    findings = found(FakeCluster(WHOLE), pods=[{"what": "function", "count": 1, "containers": [{"requests": "lots"}]}])
    assert [finding.where for finding in findings if finding.ok is None] == ["nodes", "quota"]
    assert findings[-1].where == "rights"


def test_quotas_and_packages_are_read_where_there_are_any():
    quota = {"metadata": {"name": "q"}, "spec": {"hard": {"requests.cpu": "1"}}, "status": {"used": {}}}
    cluster = FakeCluster({**WHOLE, "ResourceQuota": [quota], "Subscription": [], "PackageManifest": []})
    findings = found(cluster, operators=[{"package": "amq-streams", "namespace": "o"}])
    assert wrong(findings) == {
        "operators": "it has no package at all, or is not there.",
        "quota": "2 CPU will be asked for; left: 1 CPU.",
    }
