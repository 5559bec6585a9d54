# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane without nodes and the real OLM on it, as processes on loopback that end with the tests."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes import client, config, dynamic

urllib3.disable_warnings()  # of the certificate that the API server makes for itself: they would bury what failed

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "olm-test"
PATIENCE = 400  # seconds: every wait ends when what it waits for is there, however busy the machine is
PORTS = range(12000, 29000)  # below those that the kernel gives to connections, and Kubernetes to Services


def build() -> dict[str, Path]:
    """Folders of the lab's products that are needed, built if they are not in LAB_CACHE."""
    home = os.environ.get("OLM_TEST_HOME", "/tmp/xraylab-olm")
    # The lock: two runs of the tests may ask at once.
    script = f"""
      export LAB_HOME={home}; mkdir -p $LAB_HOME; exec 8>$LAB_HOME/lock; flock 8
      . {ROOT}/lab/env.sh; {ROOT}/lab/build.py kube olm >&2; cat $LAB_HOME/products.env"""
    done = subprocess.run(["bash", "-euc", script], stdout=subprocess.PIPE, text=True, check=True)
    products = dict(line.split("=", 1) for line in done.stdout.split())
    return {name: Path(products[f"PRODUCT_{name.upper()}"]) for name in ("kube", "olm")}


def free_ports(number: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
        if len(found) == number:
            return found
    raise OSError(f"{number} free ports are needed on 127.0.0.1, but there are {len(found)}")


class Plane:
    """Kubernetes' servers; `folder` gets their state and logs."""

    def __init__(self, folder: Path, products: dict[str, Path]) -> None:
        self.folder, self.products, self.processes = folder, products, {}
        self.etcd, self.peer, self.port, self.catalog, self.packages = free_ports(5)
        self.kubeconfig = folder / "kubeconfig"
        user = {"name": "admin", "user": {"token": TOKEN}}
        cluster = {"server": f"https://127.0.0.1:{self.port}", "insecure-skip-tls-verify": True}
        context = {"name": "olm", "context": {"cluster": "olm", "user": "admin"}}
        self.kubeconfig.write_text(yaml.safe_dump({
            "apiVersion": "v1", "kind": "Config", "current-context": "olm", "users": [user], "contexts": [context],
            "clusters": [{"name": "olm", "cluster": cluster}],
        }))  # fmt: skip

    def start(self, name: str, *command: Any, **environment: str) -> None:
        with (self.folder / f"{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, "KUBECONFIG": str(self.kubeconfig), **environment}, start_new_session=True,
            )  # fmt: skip

    def stop(self) -> None:
        for process in reversed(self.processes.values()):
            process.send_signal(signal.SIGKILL)  # nothing of it is kept
            process.wait()

    def up(self) -> None:
        kube = self.products["kube"] / "bin" / "kube"
        (self.folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        key = self.folder / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        urls = f"http://127.0.0.1:{self.etcd}", f"http://127.0.0.1:{self.peer}"
        self.start(
            "etcd", kube, "etcd", "--data-dir", self.folder / "etcd", "--log-level", "warn", "--unsafe-no-fsync",
            "--listen-client-urls", urls[0], "--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1],
            "--initial-advertise-peer-urls", urls[1], "--initial-cluster", f"default={urls[1]}",
        )  # fmt: skip
        self.start(
            "apiserver", kube, "kube-apiserver", "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
            "--secure-port", self.port, "--cert-dir", self.folder, "--etcd-servers", urls[0],
            "--service-cluster-ip-range", "10.96.0.0/16", "--authorization-mode", "RBAC",
            "--endpoint-reconciler-type", "none", "--disable-admission-plugins", "ServiceAccount",
            "--token-auth-file", self.folder / "tokens.csv", "--service-account-issuer", "https://olm.test",
            "--service-account-key-file", key, "--service-account-signing-key-file", key,
        )  # fmt: skip
        self.wait_for(
            "the API server", lambda: self.api().call_api("/readyz", "GET", auth_settings=["BearerToken"])[1] == 200
        )
        self.start(
            "controller-manager", kube, "kube-controller-manager", "--kubeconfig", self.kubeconfig,
            "--secure-port", "0", "--leader-elect=false", "--service-account-private-key-file", key,
            "--controllers", "*,-node-lifecycle-controller,-taint-eviction-controller",
        )  # fmt: skip

    def wait_for(self, what: str, look: Callable[[], Any], timeout: float = PATIENCE) -> Any:
        end = time.monotonic() + timeout
        while True:
            try:
                if seen := look():
                    return seen
                said = "nothing"
            except AssertionError:
                raise
            except Exception as error:  # whatever a server says that is not up yet
                said = str(error)
            self.check_alive()
            assert time.monotonic() < end, f"waited {timeout:.0f} s for {what}; last: {said}"
            time.sleep(0.2)

    def check_alive(self) -> None:
        for name, process in self.processes.items():
            if process.poll() is not None:
                log = (self.folder / f"{name}.log").read_text(errors="replace")
                raise AssertionError(f"{name} should run, but ended with {process.returncode}:\n{log[-1500:]}")

    def api(self) -> client.ApiClient:
        return config.new_client_from_config(str(self.kubeconfig))

    @cached_property
    def cluster(self) -> dynamic.DynamicClient:
        return dynamic.DynamicClient(self.api(), cache_file=str(self.folder / "discovery.json"))

    def install_olm(self, catalog: Path) -> None:
        olm = self.products["olm"]
        for file in sorted((olm / "crds").glob("*.yaml")):
            for document in yaml.safe_load_all(file.read_text()):
                if document:
                    self.apply(document)
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
        prepare = (
            f"mount -t tmpfs none /run && mkdir -p {pod} && cp apiserver.crt {pod}/ca.crt && echo {TOKEN} >{pod}/token"
        )
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

    def resource(self, api_version: str, kind: str) -> Any:
        return self.cluster.resources.get(api_version=api_version, kind=kind)

    def apply(self, obj: dict[str, Any]) -> None:
        resource = self.wait_for(f"kind {obj['kind']}", lambda: self.resource(obj["apiVersion"], obj["kind"]))
        resource.server_side_apply(body=obj, field_manager="tests", force_conflicts=True)

    def get(self, api_version: str, kind: str, namespace: str | None = None, name: str | None = None) -> Any:
        """One object, None when it is not there, or all of a namespace."""
        try:
            return self.resource(api_version, kind).get(namespace=namespace, name=name).to_dict()
        except dynamic.exceptions.NotFoundError:
            return None

    def delete(self, api_version: str, kind: str, namespace: str | None, name: str) -> None:
        self.resource(api_version, kind).delete(namespace=namespace, name=name)

    def dump(self, namespace: str) -> str:
        """What OLM says in a namespace, for a failed test."""
        kinds = [("v1alpha1", "Subscription"), ("v1alpha1", "InstallPlan"), ("v1alpha1", "ClusterServiceVersion")]
        found = [
            {"kind": kind, "name": entry["metadata"]["name"], "status": entry.get("status")}
            for version, kind in kinds
            for entry in self.get(f"operators.coreos.com/{version}", kind, namespace)["items"]
        ]
        return json.dumps(found, indent=1)[:6000]
