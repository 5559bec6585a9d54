# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kubernetes control plane without nodes, as processes on loopback that end with the tests. Needs no lab."""

from __future__ import annotations

import base64
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

import yaml
from kubernetes import client, config, dynamic

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "plane-test"
PATIENCE = 400  # seconds: every wait ends when what it waits for is there, however busy the machine is
PORTS = range(12000, 29000)  # below those that the kernel gives to connections, and Kubernetes to Services
GIVEN: set[int] = set()  # nobody may listen there yet
AUDIT = {
    "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
    "rules": [{"level": "Metadata"}],
}  # fmt: skip
USAGE = "extendedKeyUsage=clientAuth,serverAuth\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n"


def build(*names: str) -> dict[str, Path]:
    """Folders of the lab's products that are needed, built if they are not in LAB_CACHE."""
    home = os.environ.get("PLANE_HOME", "/tmp/xraylab-planes")
    # The lock: two runs of the tests may ask at once.
    script = f"""
      export LAB_HOME={home}; mkdir -p $LAB_HOME; exec 8>$LAB_HOME/lock; flock 8
      . {ROOT}/lab/env.sh; {ROOT}/lab/build.py {" ".join(names)} >&2; cat $LAB_HOME/products.env"""
    done = subprocess.run(["bash", "-euc", script], stdout=subprocess.PIPE, text=True, check=True)
    products = dict(line.split("=", 1) for line in done.stdout.split())
    return {name: Path(products[f"PRODUCT_{name.upper()}"]) for name in names}


def free_ports(number: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(sorted(set(PORTS) - GIVEN), len(set(PORTS) - GIVEN)):
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        found.append(port)
        GIVEN.add(port)
        if len(found) == number:
            return found
    raise OSError(f"{number} free ports are needed on 127.0.0.1, but there are {len(found)}")


class Plane:
    """etcd, API server and controller manager; `folder` gets their state and logs."""

    def __init__(self, folder: Path, products: dict[str, Path]) -> None:
        self.folder, self.products, self.processes = folder, products, {}
        folder.mkdir(parents=True, exist_ok=True)
        self.etcd, self.peer, self.port = free_ports(3)
        self.kubeconfig = folder / "kubeconfig"
        self.sign("ca")
        self.kubeconfig.write_text(yaml.safe_dump(self.config({"token": TOKEN})))

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    def config(self, user: dict[str, Any]) -> dict[str, Any]:
        authority = base64.b64encode((self.folder / "ca.crt").read_bytes()).decode()
        cluster = {"server": self.server, "certificate-authority-data": authority}
        context = {"name": "plane", "context": {"cluster": "plane", "user": "user"}}
        return {
            "apiVersion": "v1", "kind": "Config", "current-context": "plane", "contexts": [context],
            "users": [{"name": "user", "user": user}], "clusters": [{"name": "plane", "cluster": cluster}],
        }  # fmt: skip

    def sign(self, name: str) -> None:
        """NAME.crt and NAME.key; the first one, `ca`, signs itself and those that follow."""
        base = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        to = ["-days", "30", "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt"]
        if name == "ca":
            more = ["-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        else:
            names = [part for line in USAGE.split() for part in ("-addext", line)]
            more = ["-CA", "ca.crt", "-CAkey", "ca.key", "-addext", "basicConstraints=critical,CA:FALSE", *names]
        subprocess.run([*base, *to, *more], cwd=self.folder, check=True, capture_output=True)

    def start(self, name: str, *command: Any, **environment: str) -> None:
        with (self.folder / f"{name}.log").open("w") as log:
            self.processes[name] = subprocess.Popen(
                [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env={**os.environ, "KUBECONFIG": str(self.kubeconfig), **environment}, start_new_session=True,
            )  # fmt: skip

    def end(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)  # nothing of it is kept
        process.wait()

    def stop(self) -> None:
        for name in reversed(list(self.processes)):
            self.end(name)

    def up(self) -> None:
        kube = self.products["kube"] / "bin" / "kube"
        (self.folder / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        (self.folder / "audit.yaml").write_text(yaml.safe_dump(AUDIT))
        key = self.folder / "sa.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        self.sign("apiserver")
        urls = f"http://127.0.0.1:{self.etcd}", f"http://127.0.0.1:{self.peer}"
        self.start(
            "etcd", kube, "etcd", "--data-dir", self.folder / "etcd", "--log-level", "warn", "--unsafe-no-fsync",
            "--listen-client-urls", urls[0], "--advertise-client-urls", urls[0], "--listen-peer-urls", urls[1],
            "--initial-advertise-peer-urls", urls[1], "--initial-cluster", f"default={urls[1]}",
        )  # fmt: skip
        self.start_apiserver()
        self.start(
            "controller-manager", kube, "kube-controller-manager", "--kubeconfig", self.kubeconfig,
            "--secure-port", "0", "--leader-elect=false", "--service-account-private-key-file", key,
            "--cluster-signing-cert-file", "ca.crt", "--cluster-signing-key-file", "ca.key",
            "--root-ca-file", "ca.crt", "--controllers", "*,-node-lifecycle-controller,-taint-eviction-controller",
        )  # fmt: skip

    def start_apiserver(self) -> None:
        kube, key = self.products["kube"] / "bin" / "kube", self.folder / "sa.key"
        self.start(
            "apiserver", kube, "kube-apiserver", "--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1",
            "--secure-port", self.port, "--tls-cert-file", "apiserver.crt", "--tls-private-key-file", "apiserver.key",
            "--client-ca-file", "ca.crt", "--etcd-servers", f"http://127.0.0.1:{self.etcd}",
            "--service-cluster-ip-range", "10.96.0.0/16", "--authorization-mode", "RBAC",
            "--endpoint-reconciler-type", "none", "--disable-admission-plugins", "ServiceAccount",
            "--token-auth-file", "tokens.csv", "--service-account-issuer", "https://plane.test",
            "--service-account-key-file", key, "--service-account-signing-key-file", key,
            "--audit-policy-file", "audit.yaml", "--audit-log-path", "audit.log",
        )  # fmt: skip
        self.wait_for(
            "the API server", lambda: self.api().call_api("/readyz", "GET", auth_settings=["BearerToken"])[1] == 200
        )

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
    def dynamic(self) -> dynamic.DynamicClient:
        return dynamic.DynamicClient(self.api(), cache_file=str(self.folder / "discovery.json"))

    def resource(self, api_version: str, kind: str) -> Any:
        return self.dynamic.resources.get(api_version=api_version, kind=kind)

    def apply(self, obj: dict[str, Any]) -> None:
        resource = self.wait_for(f"kind {obj['kind']}", lambda: self.resource(obj["apiVersion"], obj["kind"]))
        resource.server_side_apply(body=obj, field_manager="tests", force_conflicts=True)

    def apply_files(self, *files: Path) -> None:
        for file in files:
            for document in yaml.safe_load_all(file.read_text()):
                if document:
                    self.apply(document)

    def get(self, api_version: str, kind: str, namespace: str | None = None, name: str | None = None) -> Any:
        """One object, None when it is not there, or all of a namespace."""
        try:
            return self.resource(api_version, kind).get(namespace=namespace, name=name).to_dict()
        except (dynamic.exceptions.NotFoundError, dynamic.exceptions.ResourceNotFoundError):
            return None

    def names(self, api_version: str, kind: str, namespace: str | None = None) -> list[str]:
        found = self.get(api_version, kind, namespace) or {"items": []}
        return [entry["metadata"]["name"] for entry in found["items"]]

    def patch(self, api_version: str, kind: str, namespace: str | None, name: str, change: dict[str, Any]) -> None:
        self.resource(api_version, kind).patch(
            body=change, namespace=namespace, name=name, content_type="application/merge-patch+json"
        )

    def delete(self, api_version: str, kind: str, namespace: str | None, name: str) -> None:
        self.resource(api_version, kind).delete(namespace=namespace, name=name)

    def memory(self, name: str) -> int:
        """MiB that a process has in memory."""
        lines = Path(f"/proc/{self.processes[name].pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))
