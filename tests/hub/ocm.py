# SPDX-License-Identifier: GPL-3.0-or-later
"""A hub: Open Cluster Management's own controllers on a control plane, and the lab's import controller in front."""

from __future__ import annotations

import base64
import socket
import sys
from pathlib import Path
from typing import Any

from control_plane import ROOT, Plane, free_ports

CLUSTERS = "cluster.open-cluster-management.io/v1"
KLUSTERLETS = "operator.open-cluster-management.io/v1"
WORKS = "work.open-cluster-management.io/v1"
BOOTSTRAP = "system:serviceaccount:open-cluster-management:agent-registration-bootstrap"
WEBHOOKS = (("Mutating", "mutate"), ("Validating", "validate"))
FIXED = (8000, 8080)  # where the webhook wants to listen besides, and ends if it cannot
SPACES = ("open-cluster-management", "open-cluster-management-hub")
KINDS = ROOT / "lab" / "catalog" / "crds" / "klusterletaddonconfigs.agent.open-cluster-management.io.yaml"


def is_free(port: int) -> bool:
    try:
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True


class Hub(Plane):
    """Its methods are what a test needs to see of a hub."""

    def install(self, *, webhook: bool = True, importer: bool = True, auto_approve: bool = False) -> None:
        ocm = self.products["ocm"]
        self.apply_files(*sorted((ocm / "hub").glob("*.crd.yaml")), KINDS)
        for name in SPACES:
            self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        self.apply_files(ocm / "hub" / "bootstrap.yaml")
        gates = ["--feature-gates=ManagedClusterAutoApproval=true", f"--auto-approved-csr-users={BOOTSTRAP}"]
        self.controller("registration", "controller", *(gates if auto_approve else []))
        self.controller("work", "manager")
        self.controller("placement", "controller")
        if webhook and all(is_free(port) for port in FIXED):
            self.guard()
        if importer:
            self.start(
                "importer", sys.executable, Path(__file__).with_name("importer.py"), self.folder, ocm, self.server
            )

    def controller(self, name: str, part: str, *options: str) -> None:
        self.start(
            name, self.products["ocm"] / "bin" / "ocm", name, part, "--kubeconfig", self.kubeconfig,
            "--namespace", SPACES[1], "--disable-leader-election", "--listen", f"127.0.0.1:{free_ports(1)[0]}",
            *options,
        )  # fmt: skip

    def guard(self) -> None:
        """OCM's webhook, by its address: here is no Service that leads to a process."""
        port, folder = free_ports(1)[0], self.folder / "webhook"
        folder.mkdir()
        self.sign("tls")
        for name in ("tls.crt", "tls.key"):
            (folder / name).write_bytes((self.folder / name).read_bytes())
        ocm = self.products["ocm"] / "bin" / "ocm"
        self.start("webhook", ocm, "registration", "webhook-server", "--port", port, "--certdir", folder)
        authority = base64.b64encode((self.folder / "ca.crt").read_bytes()).decode()
        for kind, path in WEBHOOKS:
            self.apply({
                "apiVersion": "admissionregistration.k8s.io/v1", "kind": f"{kind}WebhookConfiguration",
                "metadata": {"name": "managedclusters"},
                "webhooks": [{
                    "name": f"managedcluster{path}.admission.cluster.open-cluster-management.io",
                    "failurePolicy": "Fail", "sideEffects": "None", "admissionReviewVersions": ["v1"],
                    "clientConfig": {
                        "url": f"https://127.0.0.1:{port}/{path}-cluster-open-cluster-management-io-v1-managedcluster",
                        "caBundle": authority,
                    },
                    "rules": [{
                        "operations": ["CREATE", "UPDATE"], "apiGroups": ["cluster.open-cluster-management.io"],
                        "apiVersions": ["*"], "resources": ["managedclusters"],
                    }],
                }],
            })  # fmt: skip
        self.wait_for("the webhook", lambda: self.answers_to_a_cluster())

    def answers_to_a_cluster(self) -> bool:
        tried = {"apiVersion": CLUSTERS, "kind": "ManagedCluster", "metadata": {"name": "tried"}}
        return bool(self.resource(CLUSTERS, "ManagedCluster").create(body=tried, dry_run="All"))

    def token(self, account: str, namespace: str, seconds: int = 3600) -> str:
        body = {
            "spec": {"expirationSeconds": seconds},
            "kind": "TokenRequest",
            "apiVersion": "authentication.k8s.io/v1",
        }
        accounts = self.resource("v1", "ServiceAccount")
        return accounts.token.create(body=body, name=account, namespace=namespace).status.token

    def cluster(self, name: str) -> dict[str, Any] | None:
        return self.get(CLUSTERS, "ManagedCluster", None, name)

    def condition(self, name: str, kind: str) -> str | None:
        found = ((self.cluster(name) or {}).get("status") or {}).get("conditions") or []
        return next((entry["status"] for entry in found if entry["type"] == kind), None)

    def work(self, cluster: str, name: str) -> None:
        """A ManifestWork that brings a ConfigMap to the facility."""
        config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}
        self.apply({
            "apiVersion": WORKS, "kind": "ManifestWork", "metadata": {"name": name, "namespace": cluster},
            "spec": {"workload": {"manifests": [config]}},
        })  # fmt: skip
