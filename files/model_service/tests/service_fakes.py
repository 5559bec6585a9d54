# SPDX-License-Identifier: GPL-3.0-or-later
"""Images made from nothing, a store in memory, records as Ceph sends them: what the tests share without fixtures."""

import hashlib
import io
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import numpy as np
from model_service.errors import Refused, TryLater
from model_service.events import Study
from model_service.store import Fetched
from PIL import Image

BINARY = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "kafka", "ce-type": "dev.knative.kafka.event"}


@dataclass
class MemoryStore:
    """Buckets as dictionaries; `down` makes every call fail as an unreachable store does."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)
    content_types: dict[tuple[str, str], str] = field(default_factory=dict)
    puts: list[tuple[str, str]] = field(default_factory=list)
    down: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fetch(self, study: Study) -> Fetched:
        self.check()
        try:
            return Fetched(self.objects[study.bucket, study.key], study.etag or "e1")
        except KeyError:
            raise Refused("The object no longer exists.") from None

    def recorded(self, bucket: str, key: str) -> Fetched | None:
        self.check()
        data = self.objects.get((bucket, key))
        return None if data is None else Fetched(data, hashlib.md5(data).hexdigest())

    def record(self, bucket: str, key: str, data: bytes, replaced: str | None) -> bool:
        with self.lock:
            there = self.recorded(bucket, key)
            if (there.etag if there else None) != replaced:
                return False
            self.put(bucket, key, data, "application/json")
            return True

    def put(self, bucket: str, key: str, data: bytes, content_type: str) -> None:
        self.check()
        self.puts.append((bucket, key))
        self.objects[bucket, key], self.content_types[bucket, key] = data, content_type

    def check(self) -> None:
        if self.down:
            raise TryLater("The object store is down.")


def picture(width: int = 320, height: int = 240, mode: str = "L", seed: int = 0) -> Image.Image:
    """A smooth picture in any mode: no X-ray, but something that compresses and decodes like one."""
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def encoded(image: Image.Image, kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def huge_png(width: int = 20_000, height: int = 10_000) -> bytes:
    """A valid 1-bit PNG of many pixels in few bytes: rows of zeros, well compressed."""
    rows = zlib.compress(bytes(height * (1 + (width + 7) // 8)), 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", rows) + png_chunk(b"IEND", b"")


def tiff(width: int, height: int, tile: int) -> bytes:
    """The header of a tiled gray TIFF, with no pixels behind it."""
    tags = {256: width, 257: height, 258: 8, 259: 5, 262: 1, 277: 1, 322: tile, 323: tile, 324: 8, 325: 100}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(200)


def record(key: str, bucket: str = "xray-source", etag: str = "e1", **changes: Any) -> dict[str, Any]:
    """A record as Ceph's RGW 16.2 sends it."""
    entry = {"key": key, "size": 1, "eTag": etag, "versionId": "", "sequencer": "0", "metadata": [], "tags": []}
    return {
        "eventVersion": "2.2",
        "eventSource": "ceph:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": bucket, "ownerIdentity": {"principalId": "xraylab"}}, "object": entry},
        "eventId": "1",
    } | changes


@dataclass
class Server:
    """Answers every request with `status`, and `code` or `body`, after `seconds`; keeps what it was asked."""

    url: str = ""
    status: int = 200
    code: str = ""
    body: bytes = b"pixels"
    content_length: int | None = None
    seconds: float = 0.0
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@contextmanager
def serving() -> Iterator[Server]:
    """An S3 server that answers as RGW does."""
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            sent = self.rfile.read(int(headers.get("content-length", 0)))
            body = f"<Error><Code>{state.code}</Code></Error>".encode() if state.code else state.body
            state.asked.append((self.command, unquote(self.path), headers, sent))
            time.sleep(state.seconds)
            self.send_response(state.status)
            self.send_header("ETag", '"e1"')
            self.send_header("Content-Length", str(state.content_length or len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.close_connection = True

        do_GET = do_PUT = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        state.url = f"http://127.0.0.1:{httpd.server_port}"
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield state
        httpd.shutdown()
