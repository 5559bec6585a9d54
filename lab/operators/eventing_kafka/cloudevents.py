# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudEvents between Kafka records and HTTP requests, as Knative's Kafka data plane makes them. Pure.

Source: knative-extensions/eventing-kafka-broker, InvalidCloudEventInterceptor, RecordDispatcherImpl; CloudEvents' HTTP
and Kafka protocol bindings 1.0.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

REQUIRED = ("specversion", "id", "source", "type")
STRUCTURED = "application/cloudevents"
ERROR_DATA_BYTES = 1024
ERROR_HEADER_PREFIX = "kne-"
# What the HTTP binding leaves as it is in a header: printable ASCII but space, double quote and percent.
PLAIN = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in '"%')


class NotACloudEvent(Exception):
    """The message says what is missing."""


@dataclass(frozen=True)
class Record:
    """A Kafka record; `timestamp` in milliseconds since 1970, header values raw."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass(frozen=True)
class Event:
    """Context attributes (datacontenttype and extensions among them) as text, and the data."""

    attributes: dict[str, str] = field(default_factory=dict)
    data: bytes | None = None

    def extended(self, extensions: Mapping[str, str]) -> Event:
        return Event({**self.attributes, **extensions}, self.data)


def checked(attributes: dict[str, str], data: bytes | None) -> Event:
    """An event, or NotACloudEvent when a required attribute is missing."""
    missing = [name for name in REQUIRED if not attributes.get(name)]
    if missing:
        raise NotACloudEvent(f"expected the attributes {', '.join(REQUIRED)}, missing {', '.join(missing)}")
    return Event(attributes, data)


def text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def from_record(record: Record, namespace: str, source: str, key_type: str = "string") -> Event:
    """The event a record stands for: itself when it is a CloudEvent, else one about the record."""
    headers = {name.lower(): value for name, value in record.headers}
    content_type = text(headers.get("content-type"))
    try:
        if content_type.lower().startswith(STRUCTURED):
            return from_structured(record.value or b"")
        if "ce_specversion" in headers:
            attributes = {n[3:]: text(v) for n, v in headers.items() if n.startswith("ce_")}
            if content_type:
                attributes["datacontenttype"] = content_type
            return checked(attributes, record.value)
    except NotACloudEvent:
        pass  # then it is a record like any other
    return _about(record, namespace, source, key_type, content_type)


def _about(record: Record, namespace: str, source: str, key_type: str, content_type: str) -> Event:
    attributes = {
        "specversion": "1.0",
        "id": f"partition:{record.partition}/offset:{record.offset}",
        "source": f"/apis/v1/namespaces/{namespace}/kafkasources/{source}#{record.topic}",
        "type": "dev.knative.kafka.event",
        "subject": f"partition:{record.partition}#{record.offset}",
        "time": timestamp(record.timestamp),
    }
    if record.key:
        attributes["partitionkey"] = attributes["key"] = key_text(record.key, key_type)
    for name, value in record.headers:
        if name.lower() != "content-type":
            attributes["kafkaheader" + extension_name(name)] = text(value)
    if content_type:
        attributes["datacontenttype"] = content_type.lower()
    return Event(attributes, record.value)


def timestamp(milliseconds: int) -> str:
    """RFC 3339 in UTC, milliseconds."""
    at = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S") + f".{milliseconds % 1000:03d}Z"


def extension_name(name: str) -> str:
    """A header's name as an extension's: lower-case letters and digits only."""
    return "".join(c for c in name.lower() if c.isascii() and c.isalnum())


def key_text(key: bytes, key_type: str) -> str:
    """The key as an extension, by the label kafkasources.sources.knative.dev/key-type."""
    if key_type == "int" and len(key) == 4:
        return str(struct.unpack(">i", key)[0])
    if key_type == "float" and len(key) in (4, 8):
        return str(struct.unpack(">f" if len(key) == 4 else ">d", key)[0])
    if key_type == "byte-array":
        return base64.b64encode(key).decode()
    return text(key)


def http_headers(event: Event) -> dict[str, str]:
    """The headers of a binary-mode request."""
    headers = {f"ce-{n}": quote(v, safe=PLAIN) for n, v in event.attributes.items() if n != "datacontenttype"}
    if event.attributes.get("datacontenttype"):
        headers["Content-Type"] = event.attributes["datacontenttype"]
    return headers


def from_http(headers: Iterable[tuple[str, str]], body: bytes) -> Event:
    """The event of a request in binary or structured mode."""
    lowered = {name.lower(): value for name, value in headers}
    content_type = lowered.get("content-type", "")
    if content_type.lower().startswith(STRUCTURED):
        return from_structured(body)
    attributes = {name[3:]: unquote(value) for name, value in lowered.items() if name.startswith("ce-")}
    if content_type:
        attributes["datacontenttype"] = content_type
    return checked(attributes, body or None)


def from_structured(body: bytes) -> Event:
    """The event of a JSON document."""
    try:
        document: dict[str, Any] = dict(json.loads(body))
    except (ValueError, TypeError) as error:
        raise NotACloudEvent(f"expected a JSON object, saw {body[:60]!r}") from error
    encoded, plain = document.pop("data_base64", None), document.pop("data", None)
    data = base64.b64decode(encoded) if encoded is not None else _data_bytes(plain)
    return checked({n: v if isinstance(v, str) else json.dumps(v) for n, v in document.items() if v is not None}, data)


def _data_bytes(data: Any) -> bytes | None:
    if data is None:
        return None
    return data.encode() if isinstance(data, str) else json.dumps(data, ensure_ascii=False).encode()


def record_of(event: Event, structured: bool = False) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
    """Key, value and headers of the Kafka record for an event; the key is the extension partitionkey."""
    key = event.attributes["partitionkey"].encode() if event.attributes.get("partitionkey") else None
    if structured:
        return key, structured_body(event), [("content-type", b"application/cloudevents+json; charset=UTF-8")]
    headers = [(f"ce_{n}", v.encode()) for n, v in event.attributes.items() if n != "datacontenttype"]
    if event.attributes.get("datacontenttype"):
        headers.append(("content-type", event.attributes["datacontenttype"].encode()))
    return key, event.data, headers


def structured_body(event: Event) -> bytes:
    """The event as one JSON document; JSON data as it is, anything else in base64."""
    document: dict[str, Any] = dict(event.attributes)
    if event.data is not None:
        try:
            document["data"] = json.loads(event.data)
        except ValueError:
            document["data_base64"] = base64.b64encode(event.data).decode()
    return json.dumps(document, ensure_ascii=False).encode()


def error_extensions(
    destination: str, code: int | None = None, body: bytes | None = None, headers: Iterable[tuple[str, str]] = ()
) -> dict[str, str]:
    """What a dead letter carries: where it was meant to go and the last answer, if any (its body in base64)."""
    extensions = {"knativeerrordest": destination}
    if code is None:
        return extensions
    extensions["knativeerrorcode"] = str(code)
    for name, value in headers:
        if name.lower().startswith(ERROR_HEADER_PREFIX):
            extensions[name[len(ERROR_HEADER_PREFIX) :].lower()] = value
    if body:
        extensions["knativeerrordata"] = base64.b64encode(body[:ERROR_DATA_BYTES]).decode()
    return extensions
