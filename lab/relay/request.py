# SPDX-License-Identifier: GPL-3.0-or-later
"""What a notification request says: where to, as whom, which records. Pure."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from urllib.parse import unquote

TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
ADDRESS = re.compile(r"[A-Za-z0-9.-]+:\d{1,5}|\[[0-9A-Fa-f:]+\]:\d{1,5}")
FORM = "expected POST http://<user>:<password>@<relay>/<bootstrap host:port>[,<host:port>...]/<topic>"


class BadRequest(Exception):
    """A request no retry can help; the message says what was expected and what was seen."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Login:
    """A Kafka cluster and a SCRAM user of it."""

    bootstrap: str
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.user}@{self.bootstrap})"


def parse_path(path: str) -> tuple[str, str]:
    """Bootstrap servers and topic from a raw URL path."""
    parts = [unquote(part) for part in path.strip("/").split("/")]
    if len(parts) != 2:
        raise BadRequest(f"{FORM}, saw the path {path!r}")
    bootstrap, topic = parts
    for address in bootstrap.split(","):
        if not ADDRESS.fullmatch(address):
            raise BadRequest(f"{FORM}, saw {address!r} where host:port belongs")
    if not TOPIC.fullmatch(topic) or topic in (".", ".."):
        raise BadRequest(f"{FORM}, saw {topic!r} where a Kafka topic's name belongs")
    return bootstrap, topic


def parse_login(bootstrap: str, authorization: str | None) -> Login:
    """The Kafka user from a Basic Authorization header (curl makes it from the URL's user:password)."""
    scheme, _, token = (authorization or "").partition(" ")
    try:
        user, colon, password = base64.b64decode(token, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        scheme = ""
    if scheme.lower() != "basic" or not colon or not user or not password:
        raise BadRequest(f"{FORM}, saw no usable user and password (Basic authorization)", 401)
    return Login(bootstrap, user, password)


def parse_records(body: bytes) -> list[tuple[str, bytes]]:
    """One (key, value) per S3 record: the key is bucket/objectkey, the value an event with that record alone."""
    try:
        records = json.loads(body)["Records"]
        return [
            (
                f"{record['s3']['bucket']['name']}/{record['s3']['object']['key']}",
                json.dumps({"Records": [record]}, ensure_ascii=False, separators=(",", ":")).encode(),
            )
            for record in records
        ]
    except (ValueError, KeyError, TypeError) as error:
        raise BadRequest(
            f"expected an S3 event with Records[].s3.bucket.name and .object.key, saw {body[:80]!r}"
        ) from error


def hold(started: float, now: float, seconds: float) -> float:
    """How long to keep a request open still. A refused one: RGW retries at once, a hundred times a second."""
    return max(0.0, seconds - (now - started))
