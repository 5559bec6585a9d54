# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads dead letters: CloudEvents in binary mode that hold an S3 event and, in extensions, why it was given up. Pure.

Knative's dispatchers write the answer of the one that refused, cut to 1024 bytes and in Base64, to the extension
knativeerrordata, and its HTTP status to knativeerrorcode (knative.dev/eventing, docs/delivery).
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ERROR = re.compile(r'"error"\s*:\s*"((?:[^"\\]|\\.)*)')


@dataclass(frozen=True)
class Message:
    """A Kafka message; `timestamp` is in milliseconds since 1970, UTC."""

    headers: dict[str, str]
    value: bytes
    timestamp: int
    partition: int
    offset: int


@dataclass(frozen=True)
class Letter:
    """One object of a dead letter. Without a readable S3 event, bucket, key and eTag are ""."""

    bucket: str
    key: str
    etag: str
    reason: str
    code: str
    time: str
    partition: int
    offset: int


def read_letters(message: Message) -> list[Letter]:
    """A letter for each record of the event; one without an object when the event cannot be read."""
    extensions = {name: message.headers.get(f"ce_{name}", "") for name in ("knativeerrorcode", "knativeerrordata")}
    answer = decode(extensions["knativeerrordata"])
    objects = read_objects(message.value)
    time = datetime.fromtimestamp(message.timestamp / 1000, UTC).isoformat(timespec="milliseconds")
    place = time.replace("+00:00", "Z"), message.partition, message.offset
    code = extensions["knativeerrorcode"]
    if not objects:
        return [Letter("", "", "", say(answer, 0, 1), code, *place)]
    return [Letter(*obj, say(answer, number, len(objects)), code, *place) for number, obj in enumerate(objects)]


def read_objects(value: bytes) -> list[tuple[str, str, str]]:
    """(bucket, key, eTag) of each record of an S3 event; [] for anything else."""
    try:
        records = json.loads(value)["Records"]
        s3 = [record["s3"] for record in records]
        return [
            (part["bucket"]["name"], part["object"]["key"], (part["object"].get("eTag") or "").strip('"'))
            for part in s3
        ]
    except (ValueError, KeyError, TypeError):
        return []


def decode(data: str) -> str:
    """The refusing service's answer: Base64, or as it is where a dispatcher left it so."""
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        return data


def say(answer: str, number: int, total: int) -> str:
    """The reason for record `number` of `total`: its own error in a JSON answer, else the answer's, else its text."""
    try:
        parsed = json.loads(answer)
    except ValueError:
        parsed = None
    if isinstance(parsed, dict):
        records = parsed.get("records")
        if isinstance(records, list) and len(records) == total and isinstance(records[number], dict):
            own = records[number].get("error")
            if own or total > 1:
                return str(own or "This record was not at fault; another one of its event was.")
        if parsed.get("error"):
            return str(parsed["error"])
    cut_off = ERROR.search(answer)
    if cut_off:
        return json.loads(f'"{cut_off[1]}"')
    return answer.strip() or "No reason was given."


def summarize(letters: Iterable[Letter]) -> list[dict[str, Any]]:
    """One row for each object and reason, in the order in which they came last."""
    rows: dict[tuple[str, ...], dict[str, Any]] = {}
    for letter in letters:
        identity = letter.bucket, letter.key, letter.etag, letter.reason
        row = rows.pop(identity, None) or {
            "bucket": letter.bucket, "key": letter.key, "etag": letter.etag, "reason": letter.reason,
            "first_time": letter.time, "count": 0,
        }  # fmt: skip
        row |= {"code": letter.code, "last_time": letter.time, "partition": letter.partition, "offset": letter.offset}
        rows[identity] = row | {"count": row["count"] + 1}
    return list(rows.values())
