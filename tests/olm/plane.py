# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane without nodes and the real OLM on it, as processes on loopback that end with the tests."""

from __future__ import annotations

import json
import socket
from pathlib import Path

from control_plane import TOKEN, Plane, free_ports


class OlmPlane(Plane):
    """A control plane with OLM's operators, its package server and a catalog."""

    def __init__(self, folder: Path, products: dict[str, Path]) -> None:
        super().__init__(folder, products)
        self.catalog, self.packages = free_ports(2)

    def install_olm(self, catalog: Path) -> None:
        olm = self.products["olm"]
        self.apply_files(*sorted((olm / "crds").glob("*.yaml")))
        self.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "olm"}})
        self.start(
            "opm", olm / "bin" / "opm", "serve", catalog, "--port", self.catalog, "--cache-dir", self.folder / "cache",
            "--cache-enforce-integrity=false", "--termination-log", self.folder / "opm-end",
            "--pprof-addr", "127.0.0.1:0",
        )  # fmt: skip
        self.wait_for("the catalog", lambda: socket.create_connection(("127.0.0.1", self.catalog), 1))
        self.wait_for("OLM's kinds", lambda: self.resource("operators.coreos.com/v1", "OLMConfig"))
        self.apply({"apiVersion": "operators.coreos.com/v1", "kind": "OLMConfig", "metadata": {"name": "cluster"}})
        self.start(
            "catalog", olm / "bin" / "catalog", "--namespace", "olm", "--kubeconfig", self.kubeconfig,
            "--interval", "20s", "--bundle-unpack-timeout", "10s", "--install-plan-retry-timeout", "5s",
        )  # fmt: skip
        self.start("olm", olm / "bin" / "olm", "--namespace", "olm", "--interval", "20s", OPERATOR_NAMESPACE="olm")
        self.catalog_source("local", "olm", self.catalog)
        self.wait_for("the catalog source", lambda: self.state_of_catalog("local") == "READY")

    def serve_packages(self) -> None:
        """OLM's package server, which an API server finds by a Service.

        It takes the way to the API server from where a pod has it, whatever its options say: it gets a /run of its own.
        """
        binary = self.products["olm"] / "bin" / "package-server"
        pod = "/run/secrets/kubernetes.io/serviceaccount"
        prepare = f"mount -t tmpfs none /run && mkdir -p {pod} && cp ca.crt {pod}/ca.crt && echo {TOKEN} >{pod}/token"
        self.start(
            "package-server", "unshare", "-m", "bash", "-euc", f'{prepare} && exec "$@"', "-",
            binary, "--secure-port", self.packages, "--bind-address", "127.0.0.1",
            "--cert-dir", self.folder / "packages",
            "--global-namespace", "olm", "--kubeconfig", self.kubeconfig,
            "--authentication-kubeconfig", self.kubeconfig, "--authorization-kubeconfig", self.kubeconfig,
            KUBERNETES_SERVICE_HOST="127.0.0.1", KUBERNETES_SERVICE_PORT=str(self.port),
        )  # fmt: skip
        self.let_everybody_read_packages()
        self.apply({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "packages", "namespace": "olm"},
            "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": self.packages}]},
        })  # fmt: skip
        self.apply({
            "apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
            "metadata": {"name": "v1.packages.operators.coreos.com"},
            "spec": {
                "group": "packages.operators.coreos.com", "version": "v1", "insecureSkipTLSVerify": True,
                "groupPriorityMinimum": 2000, "versionPriority": 15,
                "service": {"name": "packages", "namespace": "olm", "port": self.packages},
            },
        })  # fmt: skip
        served = "packages.operators.coreos.com/v1", "PackageManifest"
        self.wait_for("the packages", lambda: self.resource(*served).get(namespace="olm", name="demo"))

    def let_everybody_read_packages(self) -> None:
        """This API server sends on requests without saying whose they are."""
        rules = [
            {"apiGroups": ["packages.operators.coreos.com"], "resources": ["*"], "verbs": ["get", "list"]},
            {"nonResourceURLs": ["/apis", "/apis/*", "/openapi/*"], "verbs": ["get"]},
        ]
        rbac, name = "rbac.authorization.k8s.io", {"name": "packages"}
        self.apply({"apiVersion": f"{rbac}/v1", "kind": "ClusterRole", "metadata": name, "rules": rules})
        self.apply({
            "apiVersion": f"{rbac}/v1", "kind": "ClusterRoleBinding", "metadata": name,
            "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", **name},
            "subjects": [{"apiGroup": rbac, "kind": "User", "name": "system:anonymous"}],
        })  # fmt: skip

    def catalog_source(self, name: str, namespace: str, port: int) -> None:
        self.apply({
            "apiVersion": "operators.coreos.com/v1alpha1", "kind": "CatalogSource",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"sourceType": "grpc", "address": f"127.0.0.1:{port}", "displayName": name, "publisher": "tests"},
        })  # fmt: skip

    def state_of_catalog(self, name: str, namespace: str = "olm") -> str:
        found = self.get("operators.coreos.com/v1alpha1", "CatalogSource", namespace, name)
        return found["status"]["connectionState"]["lastObservedState"]

    def dump(self, namespace: str) -> str:
        """What OLM says in a namespace, for a failed test."""
        kinds = [("v1alpha1", "Subscription"), ("v1alpha1", "InstallPlan"), ("v1alpha1", "ClusterServiceVersion")]
        found = [
            {"kind": kind, "name": entry["metadata"]["name"], "status": entry.get("status")}
            for version, kind in kinds
            for entry in self.get(f"operators.coreos.com/{version}", kind, namespace)["items"]
        ]
        return json.dumps(found, indent=1)[:6000]
