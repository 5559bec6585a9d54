# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy in front of the lab's API server that counts what one client asks, and keeps what it applies.

The API server's own metrics count every client of the lab; a number of requests through here does not depend on load.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

APPLY = "application/apply-patch+yaml"
HOP_BY_HOP = ("connection", "host", "content-length", "transfer-encoding", "keep-alive")


@dataclass
class Asked:
    """Requests in their order, as `GET /api/v1/namespaces`, and the objects of server-side apply."""

    kubeconfig: Path
    requests: list[str] = field(default_factory=list)
    applied: list[dict[str, Any]] = field(default_factory=list)

    def note(self, method: str, path: str, content_type: str, body: bytes) -> None:
        self.requests.append(f"{method} {urlsplit(path).path}")
        if content_type.startswith(APPLY):
            self.applied.append(json.loads(body))

    def most(self, number: int = 15) -> str:
        return "\n".join(f"{count:4} {request}" for request, count in Counter(self.requests).most_common(number))


def handler(asked: Asked, api: Any) -> type[BaseHTTPRequestHandler]:
    """`api` is an ApiClient of the package kubernetes, whose certificate or token every request goes with."""
    server, pool = api.configuration.host, api.rest_client.pool_manager
    token = api.configuration.get_api_key_with_prefix("authorization")
    identity = {"Authorization": token} if token else {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.note(self.command, self.path, self.headers.get("Content-Type", ""), body)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
            answer = pool.request(
                self.command, server + self.path, body=body or None, headers=headers | identity, decode_content=False,
                redirect=False, retries=False,
            )  # fmt: skip
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.data)))
            self.end_headers()
            self.wfile.write(answer.data)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Nothing: requests are noted."""

    return Handler


@contextmanager
def counted(lab_kubeconfig: Path, folder: Path) -> Iterator[Asked]:
    """Gives a kubeconfig in `folder` whose requests are noted on their way to the lab's API server."""
    from kubernetes import config

    asked = Asked(folder / "counted.kubeconfig")
    api = config.new_client_from_config(str(lab_kubeconfig))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(asked, api)) as proxy:
        proxy.daemon_threads = True
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        cluster = {"name": "lab", "cluster": {"server": f"http://127.0.0.1:{proxy.server_port}"}}
        context = {"name": "lab", "context": {"cluster": "lab", "user": "lab"}}
        whole = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
        whole |= {"users": [{"name": "lab", "user": {}}], "current-context": "lab"}
        asked.kubeconfig.write_text(json.dumps(whole))
        try:
            yield asked
        finally:
            proxy.shutdown()
