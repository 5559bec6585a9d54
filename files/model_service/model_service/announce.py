# SPDX-License-Identifier: GPL-3.0-or-later
"""Announces objects to the topic once more, through a KafkaSink: what it accepts, Kafka has."""

import json
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .errors import TryLater
from .events import Study
from .results import utc_text

SINK_SECONDS = 30


def s3_event(study: Study, size: int, modified: datetime) -> bytes:
    """The event of an object, of the time when it was stored."""
    entry = {"key": study.key, "size": size, "eTag": study.etag, "versionId": study.version_id or ""}
    record = {
        "eventVersion": "2.2",
        "eventSource": "ceph:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": utc_text(modified),
        "s3": {"bucket": {"name": study.bucket}, "object": entry},
    }
    return json.dumps({"Records": [record]}).encode()


def announce(sink: str, data: bytes, source: str, content_type: str = "application/json") -> None:
    """Returns when the topic holds the event. Raises TryLater."""
    headers = {
        "ce-specversion": "1.0",
        "ce-id": str(uuid.uuid4()),
        "ce-source": source,
        "ce-type": "xraylab.study.announced",
        "ce-time": utc_text(),
        "content-type": content_type,
    }
    try:
        request = urllib.request.Request(sink, data, headers, method="POST")  # noqa: S310 - the site's own address
        with urllib.request.urlopen(request, timeout=SINK_SECONDS):  # noqa: S310
            return
    except urllib.error.HTTPError as error:
        seen = f"{error.code} {error.read(200).decode(errors='replace').strip()}"
    except OSError as error:
        seen = str(getattr(error, "reason", error))
    raise TryLater(f"Could not announce a study again: the sink {sink} answered {seen}.")


def cloud_event_headers(headers: Mapping[str, str]) -> dict[str, Any]:
    """Those of a request's headers that belong to its event."""
    return {name: value for name, value in headers.items() if name.startswith("ce-") or name == "content-type"}
