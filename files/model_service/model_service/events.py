# SPDX-License-Identifier: GPL-3.0-or-later
"""From an HTTP request to the studies it announces. Pure: knows CloudEvents and S3 events, no network, no images."""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_plus

from .errors import Refused


@dataclass(frozen=True)
class Study:
    """One X-ray object. `etag` and `version_id` are None where the event does not tell them."""

    bucket: str
    key: str
    etag: str | None = None
    version_id: str | None = None

    @property
    def name(self) -> str:
        """The study's identity; holds the object's key and therefore never goes to a log."""
        return f"{self.bucket}/{self.key}@{self.version_id or self.etag or ''}"

    @property
    def log_id(self) -> str:
        """Safe to log: the eTag, a hash of the pixels, keeps anyone from guessing the key from it."""
        return hashlib.sha256(self.name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def read_event(headers: Mapping[str, str], body: bytes) -> Any:
    """The data of a CloudEvent 1.0 in binary or structured mode, as parsed JSON. Raises Refused.

    Source: CloudEvents HTTP protocol binding 1.0.2, sections 3.1 and 3.2. `headers` have lower-case names.
    """
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "application/cloudevents+json":
        return structured_data(parse_json(body))
    if media_type.startswith("application/cloudevents"):
        raise Refused(f"Expected one CloudEvent in binary or structured JSON mode, got {media_type}.")
    missing = [name for name in ("ce-specversion", "ce-type", "ce-source", "ce-id") if not headers.get(name)]
    if missing:
        raise Refused(f"Expected a CloudEvent, but the request has no header {', '.join(missing)}.")
    check_version(headers["ce-specversion"])
    return parse_json(body)


def structured_data(event: Any) -> Any:
    if not isinstance(event, dict):
        raise Refused(f"Expected a CloudEvent as a JSON object, got {type(event).__name__}.")
    check_version(event.get("specversion"))
    if "data_base64" in event:
        try:
            return parse_json(base64.b64decode(event["data_base64"], validate=True))
        except (binascii.Error, TypeError, ValueError):
            raise Refused("The CloudEvent's data_base64 is not Base64.") from None
    data = event.get("data")
    return parse_json(data.encode()) if isinstance(data, str) else data


def check_version(version: Any) -> None:
    if version != "1.0":
        raise Refused(f"Expected a CloudEvent of specversion 1.0, got {str(version)[:20]!r}.")


def parse_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(f"Expected JSON in the event, got {len(body)} bytes that are not.") from None


def read_records(data: Any) -> list[Any]:
    """The Records of an S3 event; none for the test event that S3 sends when a notification is set. Raises Refused."""
    if isinstance(data, dict):
        if data.get("Event") == "s3:TestEvent":
            return []
        if isinstance(data.get("Records"), list):
            return data["Records"]
    raise Refused("Expected an S3 event, but its data has no list named Records.")


def read_study(record: Any) -> Study | None:
    """The study that a record announces; None when it announces no new object. Raises Refused.

    AWS writes keys URL-encoded (space as `+`) and event names as `s3:` less its documents; Ceph's RGW writes
    keys as they are, without `s3:` (seen with 16.2.15).
    """
    try:
        if not record["eventName"].removeprefix("s3:").startswith("ObjectCreated:"):
            return None
        bucket, entry = record["s3"]["bucket"]["name"], record["s3"]["object"]
        key, etag, version_id = entry["key"], entry.get("eTag"), entry.get("versionId")
        if record.get("eventSource") == "aws:s3":
            key = unquote_plus(key, errors="strict")
        texts = bucket, key, etag or "", version_id or ""
        if not all(isinstance(text, str) for text in texts) or not bucket or not key:
            raise TypeError(texts)
        key.encode()
    except (KeyError, TypeError, AttributeError, ValueError):
        raise Refused("Expected an S3 record with eventName, s3.bucket.name and s3.object.key.") from None
    return Study(bucket, key, (etag or "").strip('"') or None, version_id or None)
