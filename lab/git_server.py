#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hospital's Git service in small: git_server.py ADDRESS:PORT FOLDER CREDENTIALS.

Serves FOLDER's bare repositories by git's own http-backend to whom CREDENTIALS (a JSON file with username and password)
names, and makes a repository when it is pushed to for the first time.
"""

from __future__ import annotations

import base64
import hmac
import json
import os
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

REPOSITORY = re.compile(r"/([a-z0-9][a-z0-9-]*\.git)/")


def is_first_push(path: str, query: str) -> bool:
    return path.endswith("/info/refs") and query == "service=git-receive-pack"


def chunked(stream: BinaryIO) -> bytes:
    """A body of the transfer encoding chunked, as git sends a large push."""
    parts = []
    while size := int(stream.readline().split(b";")[0], 16):
        parts.append(stream.read(size))
        stream.readline()
    while stream.readline().strip():  # trailers
        pass
    return b"".join(parts)


def parse(output: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of a CGI program's answer."""
    head, _, body = output.partition(b"\r\n\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head.decode().splitlines())]
    status = next((value for name, value in headers if name == "Status"), "200 OK")
    return int(status.split()[0]), [pair for pair in headers if pair[0] != "Status"], body


class Handler(BaseHTTPRequestHandler):
    """`folder` and `expected`, the Authorization header of whom it serves, are the server's."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/healthz":
            self._answer(200, [], b"ok\n")
            return
        body = self._body()
        if not hmac.compare_digest(self.headers.get("Authorization", ""), self.server.expected):
            self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"user and password, please\n")
            return
        name = REPOSITORY.match(url.path)
        folder = self.server.folder / name[1] if name else None
        if folder and not folder.exists() and is_first_push(url.path, url.query):
            subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(folder)], check=True)
        if not folder or not folder.exists():
            self._answer(404, [], b"no such repository\n")
            return
        self._answer(*self._git(url.path, url.query, body))

    do_POST = do_GET  # noqa: N815

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return chunked(self.rfile)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _git(self, path: str, query: str, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.server.folder), "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": "git",
            "REMOTE_ADDR": self.client_address[0], "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }  # fmt: skip
        done = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=environment, check=False)
        return parse(done.stdout)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def serve(address: str, folder: Path, credentials: dict[str, str]) -> ThreadingHTTPServer:
    host, port = address.rsplit(":", 1)
    server = ThreadingHTTPServer((host, int(port)), Handler)
    pair = f"{credentials['username']}:{credentials['password']}"
    server.folder, server.expected = folder, f"Basic {base64.b64encode(pair.encode()).decode()}"
    return server


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), json.loads(Path(sys.argv[3]).read_text())).serve_forever()
