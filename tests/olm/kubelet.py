# SPDX-License-Identifier: GPL-3.0-or-later
"""Stand-in for a node: says that pods run, lets some crash, and serves a log for those. Nothing runs."""

from __future__ import annotations

import http.server
import ssl
import threading
from pathlib import Path
from typing import Any

from kubernetes import client
from urllib3.exceptions import HTTPError

NODE = "node1"
LOG = "panic: no widget can be made of this"


class Log(http.server.BaseHTTPRequestHandler):
    """What a kubelet answers for any container's log."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"starting\n{LOG}\n".encode())

    def log_message(self, *_: Any) -> None:
        pass


def serve_logs(certificate: Path, key: Path) -> int:
    """The port that logs are served at."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Log)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_port


def register(core: client.CoreV1Api, port: int) -> None:
    core.create_node({"metadata": {"name": NODE}})
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }
    core.patch_node_status(NODE, {"status": status})


def state_of(container: client.V1Container) -> dict[str, Any]:
    entry = {"name": container.name, "image": container.image, "imageID": "", "restartCount": 0}
    if container.command != ["/crash"]:
        return {**entry, "ready": True, "state": {"running": {}}}
    return {
        **entry, "ready": False, "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}},
        "lastState": {"terminated": {"exitCode": 2, "reason": "Error"}},
    }  # fmt: skip


def run(core: client.CoreV1Api, pod: client.V1Pod) -> None:
    name, namespace = pod.metadata.name, pod.metadata.namespace
    if not pod.spec.node_name:
        target = {"apiVersion": "v1", "kind": "Node", "name": NODE}
        core.create_namespaced_pod_binding(
            name, namespace, {"metadata": {"name": name}, "target": target}, _preload_content=False
        )
    containers = [state_of(container) for container in pod.spec.containers]
    ready = "True" if all(entry["ready"] for entry in containers) else "False"
    conditions = [{"type": kind, "status": ready} for kind in ("Ready", "ContainersReady")]
    conditions.append({"type": "PodScheduled", "status": "True"})
    status = {"phase": "Running", "conditions": conditions, "containerStatuses": containers}
    core.patch_namespaced_pod_status(name, namespace, {"status": status})


def play(core: client.CoreV1Api, end: threading.Event) -> None:
    """Runs all new pods but those of Jobs: an image that cannot be pulled keeps its pod pending."""
    while not end.wait(0.3):
        try:
            for pod in core.list_pod_for_all_namespaces(field_selector="status.phase=Pending").items:
                if "job-name" not in (pod.metadata.labels or {}):
                    run(core, pod)
        except (client.ApiException, HTTPError):
            continue  # the pod is gone, or the API server away
