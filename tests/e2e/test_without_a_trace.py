# SPDX-License-Identifier: GPL-3.0-or-later
"""From a facility, whose operators came through the real OLM, back to a bare cluster.

Runs last, by its name: nothing of the facility outlives it. `make lab` brings it back.
"""

from __future__ import annotations

import subprocess
import time

import pytest
from conftest import LAB_HOME
from test_playbooks import ROOT, play

pytestmark = pytest.mark.lab
KEPT = (
    "Namespace ",  # those that operators were installed into may serve others by now
    "CustomResourceDefinition ",  # Knative's operator leaves the kinds it made
    "APIService ",
    "Service v1 knative-serving autoscaler-bucket-",  # Knative's autoscaler made it, and nobody owns it
    # The hub's own agent asked for it; Kubernetes forgets what was approved after an hour.
    "CertificateSigningRequest certificates.k8s.io/v1 <none> local-cluster-",
    "Operator ",  # OLM keeps a record of what was installed once
    "ClusterRole rbac.authorization.k8s.io/v1 <none> eventing-kafka-",  # OLM leaves those of a bundle, the lab's
    "ClusterRoleBinding rbac.authorization.k8s.io/v1 <none> eventing-kafka-",
)
EVERYTHING = ("remove_data=true", "remove_operators=true", "operators_remove_crds=true")
OPERATORS = {
    "odf-operator": "openshift-storage",
    "amqstreams": "openshift-operators",
    "serverless-operator": "openshift-serverless",
    "grafana-operator": "grafana-operator",
    "quay-operator": "quay-enterprise",
    "advanced-cluster-management": "open-cluster-management",
    "opendatahub-operator": "openshift-operators",
    "openshift-gitops-operator": "openshift-gitops-operator",
}


def objects() -> set[str]:
    return set(
        subprocess.run([ROOT / "lab" / "objects"], check=True, capture_output=True, text=True).stdout.splitlines()
    )


def bare() -> set[str]:
    return set((LAB_HOME / "bare.txt").read_text().splitlines())


def left() -> set[str]:
    """What the cluster has, and did not have before the first facility."""
    now, before = objects(), bare()
    namespaces = {line.split()[-1] for line in now - before if line.startswith("Namespace ")}
    return {line for line in now - before if not line.startswith(KEPT) and not is_kubernetes_own(line, namespaces)}


def is_kubernetes_own(line: str, namespaces: set[str]) -> bool:
    """What Kubernetes puts into every namespace."""
    kind, _, namespace, name = line.split()
    return namespace in namespaces and (kind, name) in {
        ("ConfigMap", "kube-root-ca.crt"),
        ("ServiceAccount", "default"),
    }


def test_operators_came_through_olm(facility):
    found = facility.custom.list_cluster_custom_object("operators.coreos.com", "v1alpha1", "subscriptions")["items"]
    installed = {item["status"]["installedCSV"].split(".v")[0]: item["metadata"]["namespace"] for item in found}
    assert installed == OPERATORS
    for item in found:
        namespace, name = item["metadata"]["namespace"], item["status"]["installedCSV"]
        csv = facility.custom.get_namespaced_custom_object(
            "operators.coreos.com", "v1alpha1", namespace, "clusterserviceversions", name
        )
        assert csv["status"]["phase"] == "Succeeded"


def test_removal_leaves_a_bare_cluster(facility):
    done = play("playbooks/remove.yml", *(word for option in EVERYTHING for word in ("-e", option)))
    assert done.returncode == 0, done.stdout[-4000:]
    facility.removed = True
    end = time.monotonic() + 120
    while (found := left()) and time.monotonic() < end:  # volumes and what OLM owns go a little later
        time.sleep(2)
    assert not found
    assert not bare() - objects()
