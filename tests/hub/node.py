# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for a facility's node: runs the pods of Open Cluster Management's agent as processes.

Serves their logs, too.
"""

from __future__ import annotations

import base64
import http.server
import os
import signal
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

from control_plane import Plane, free_ports
from kubernetes import client
from urllib3.exceptions import HTTPError

NODE = "node1"


class Node:
    """All pods of one control plane. A pod's processes end with it, and start again when they end by themselves."""

    def __init__(self, plane: Plane) -> None:
        self.plane, self.core = plane, client.CoreV1Api(plane.api())
        self.folder = plane.folder / "pods"
        self.processes: dict[str, subprocess.Popen] = {}
        self.over, self.asleep = threading.Event(), threading.Event()

    def start(self) -> None:
        self.core.create_node({"metadata": {"name": NODE}})
        endpoints = {"kubeletEndpoint": {"Port": self.serve_logs()}}
        address = {"type": "InternalIP", "address": "127.0.0.1"}
        self.core.patch_node_status(NODE, {"status": {"addresses": [address], "daemonEndpoints": endpoints}})
        threading.Thread(target=self.play, daemon=True).start()

    def serve_logs(self) -> int:
        folder = self.folder

        class Log(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                pod = self.path.split("?")[0].split("/")[3]
                self.send_response(200)
                self.end_headers()
                log = folder / pod / "log"
                self.wfile.write(b"".join(log.read_bytes().splitlines(keepends=True)[-80:]) if log.exists() else b"")

            def log_message(self, *_: Any) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Log)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.plane.folder / "apiserver.crt", self.plane.folder / "apiserver.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_port

    def play(self) -> None:
        while not self.over.wait(0.3):
            try:
                self.look()
            except (client.ApiException, HTTPError, OSError):
                continue  # the API server is away, or the pod has gone meanwhile

    def look(self) -> None:
        pods = {pod.metadata.name: pod for pod in self.core.list_pod_for_all_namespaces().items}
        for name in [name for name in self.processes if name not in pods or self.asleep.is_set()]:
            self.kill(name)
        for name, pod in pods.items():
            if pod.metadata.deletion_timestamp:
                self.kill(name)
                self.core.delete_namespaced_pod(name, pod.metadata.namespace, grace_period_seconds=0)
            elif not self.asleep.is_set():
                self.keep(pod)

    def keep(self, pod: client.V1Pod) -> None:
        mounted = self.mount(pod)
        if mounted is None:
            return  # a Secret is missing: the pod waits for it, as on a real node
        process = self.processes.get(pod.metadata.name)
        if process is None or process.poll() is not None:
            self.processes[pod.metadata.name] = self.run(pod, mounted)
        if not pod.spec.node_name:
            self.bind(pod)

    def mount(self, pod: client.V1Pod) -> dict[str, Path] | None:
        """Paths in the pod and the folders that stand for them. Files of a Secret follow it."""
        mounted, container = {}, pod.spec.containers[0]
        volumes = {volume.name: volume for volume in pod.spec.volumes or []}
        for mount in container.volume_mounts or []:
            folder = self.folder / pod.metadata.name / mount.name
            folder.mkdir(parents=True, exist_ok=True)
            secret = volumes[mount.name].secret
            if secret and not self.fill(folder, pod.metadata.namespace, secret.secret_name):
                return None
            if mount.mount_path.startswith("/spoke/"):
                mounted[mount.mount_path] = folder
        return mounted

    def fill(self, folder: Path, namespace: str, name: str) -> bool:
        try:
            data = self.core.read_namespaced_secret(name, namespace).data or {}
        except client.ApiException:
            return False
        for key, value in data.items():
            content, file = base64.b64decode(value), folder / key
            if not file.exists() or file.read_bytes() != content:
                file.write_bytes(content)
        return True

    def run(self, pod: client.V1Pod, mounted: dict[str, Path]) -> subprocess.Popen:
        container = pod.spec.containers[0]
        arguments = [self.outside(part, mounted) for part in [*(container.command or []), *(container.args or [])]]
        options = [
            "--kubeconfig", str(self.plane.kubeconfig), "--namespace", pod.metadata.namespace,
            "--disable-leader-election", "--listen", f"127.0.0.1:{free_ports(1)[0]}",
        ]  # fmt: skip
        if "agent" in arguments[:2]:
            folder = mounted["/spoke/hub-kubeconfig"]
            options += ["--hub-kubeconfig-dir", str(folder)]
        environment = {entry.name: entry.value for entry in container.env or [] if entry.value}
        home = self.folder / pod.metadata.name
        home.mkdir(parents=True, exist_ok=True)
        with (home / "log").open("a") as log:
            return subprocess.Popen(
                [str(self.plane.products["ocm"] / "bin" / "ocm"), *arguments, *options], cwd=home, stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env={**os.environ, **environment, "POD_NAME": pod.metadata.name},
            )  # fmt: skip

    @staticmethod
    def outside(part: str, mounted: dict[str, Path]) -> str:
        for inside, folder in mounted.items():
            part = part.replace(f"{inside}/", f"{folder}/")
        return part

    def bind(self, pod: client.V1Pod) -> None:
        name, namespace = pod.metadata.name, pod.metadata.namespace
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        body = {"metadata": {"name": name}, "target": target}
        self.core.create_namespaced_pod_binding(name, namespace, body, _preload_content=False)
        conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "ContainersReady", "PodScheduled")]
        container = pod.spec.containers[0]
        running = {
            "name": container.name, "image": container.image, "imageID": "", "restartCount": 0, "ready": True,
            "state": {"running": {}},
        }  # fmt: skip
        status = {"phase": "Running", "conditions": conditions, "containerStatuses": [running]}
        self.core.patch_namespaced_pod_status(name, namespace, {"status": status})

    def kill(self, name: str) -> None:
        process = self.processes.pop(name, None)
        if process:
            process.send_signal(signal.SIGKILL)
            process.wait()

    def stop(self) -> None:
        self.over.set()
        for name in list(self.processes):
            self.kill(name)
