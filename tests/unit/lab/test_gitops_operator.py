# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for the operator of OpenShift GitOps: what an ArgoCD is made into, and its status."""

from __future__ import annotations

from pathlib import Path

import yaml
from gitops import parts, status

ARGOCD = {
    "apiVersion": "argoproj.io/v1beta1",
    "kind": "ArgoCD",
    "metadata": {"name": "openshift-gitops", "namespace": "openshift-gitops", "uid": "u-1"},
    "spec": {},
}
CSV = Path(__file__).parents[3] / "lab" / "catalog" / "redhat-operators" / "openshift-gitops-operator.yaml"


def made(**spec):
    return {(p["kind"], p["metadata"]["name"]): p for p in parts.of({**ARGOCD, "spec": spec}, "image")}


def test_all_parts_go_with_their_argocd():
    for part in [*made().values(), *parts.made_once(ARGOCD)]:
        assert part["metadata"]["namespace"] == "openshift-gitops"
        assert part["metadata"]["ownerReferences"][0]["uid"] == "u-1"


def test_every_component_runs_the_image_with_redis_password_and_without_rights_on_its_files():
    found = made()
    for kind, name in parts.WORKLOADS.values():
        pod = found[kind, f"openshift-gitops-{name}"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["image"] == "image"
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["env"][-1]["valueFrom"]["secretKeyRef"]["name"] == "openshift-gitops-redis-initial-password"


def test_passwords_are_each_time_others():
    one, other = ([p["stringData"] for p in parts.made_once(ARGOCD) if p["kind"] == "Secret"] for _ in range(2))
    assert all(a != b for a, b in zip(one, other, strict=True))


def test_the_resource_sets_argo_cds_configuration():
    spec = {
        "resourceTrackingMethod": "annotation",
        "resourceHealthChecks": [{"group": "kafka.strimzi.io", "kind": "Kafka", "check": "lua"}],
        "extraConfig": {"accounts.x": "apiKey"},
    }
    assert made(**spec)["ConfigMap", "argocd-cm"]["data"] == {
        "application.resourceTrackingMethod": "annotation",
        "resource.customizations.health.kafka.strimzi.io_Kafka": "lua",
        "accounts.x": "apiKey",
    }


def workload(**found):
    return {"spec": {"replicas": 1}, "status": found}


def test_the_phase_is_available_when_what_reconciles_runs():
    running = dict.fromkeys(parts.WORKLOADS, workload(readyReplicas=1))
    assert status.of(running)["phase"] == "Available"
    found = status.of({**running, "repo": workload(), "redis": None})
    assert (found["phase"], found["repo"], found["redis"]) == ("Pending", "Pending", "Unknown")
    failed = workload(conditions=[{"type": "ReplicaFailure", "status": "True"}])
    assert status.component(failed) == "Failed"


def test_the_operator_has_every_right_that_it_gives():
    """Kubernetes refuses a Role with rights that its maker lacks."""
    rules = next(yaml.safe_load_all(CSV.read_text()))["spec"]["install"]["spec"]["clusterPermissions"][0]["rules"]
    own = {(g, r, v) for rule in rules for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}
    given = {
        (g, r, v)
        for (kind, _), part in made().items()
        if kind == "Role"
        for rule in part["rules"]
        for g in rule["apiGroups"]
        for r in rule["resources"]
        for v in rule["verbs"]
    }
    assert not given - own
