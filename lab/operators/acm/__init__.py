# SPDX-License-Identifier: GPL-3.0-or-later
"""A stand-in for Advanced Cluster Management's operator and import controller, in front of the real OCM."""

from __future__ import annotations

from strimzi.kube import PLURALS

PLURALS.update(
    {
        "AppliedManifestWork": "appliedmanifestworks",
        "CertificateSigningRequest": "certificatesigningrequests",
        "ClusterManager": "clustermanagers",
        "ClusterRole": "clusterroles",
        "ClusterRoleBinding": "clusterrolebindings",
        "CustomResourceDefinition": "customresourcedefinitions",
        "Klusterlet": "klusterlets",
        "KlusterletAddonConfig": "klusterletaddonconfigs",
        "ManagedCluster": "managedclusters",
        "ManifestWork": "manifestworks",
        "MultiClusterHub": "multiclusterhubs",
        "Namespace": "namespaces",
    }
)
