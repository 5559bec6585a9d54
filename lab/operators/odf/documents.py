# SPDX-License-Identifier: GPL-3.0-or-later
"""S3's XML documents. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from strimzi.work import Failure

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
Document = dict[str, Any]


@dataclass(frozen=True)
class Notification:
    """`filters` maps prefix, suffix and regex to their values."""

    name: str
    topic: str
    events: frozenset[str]
    filters: dict[str, str] = field(default_factory=dict)


def read_notifications(document: Element) -> list[Notification]:
    return [_read(entry) for entry in document.iterfind("{*}TopicConfiguration")]


def _read(entry: Element) -> Notification:
    rules = entry.iterfind("{*}Filter/{*}S3Key/{*}FilterRule")
    filters = {rule.findtext("{*}Name", "").lower(): rule.findtext("{*}Value", "") for rule in rules}
    events = frozenset(event.text or "" for event in entry.iterfind("{*}Event"))
    return Notification(entry.findtext("{*}Id", ""), entry.findtext("{*}Topic", ""), events, filters)


def notification(wanted: Notification) -> bytes:
    rules = [{"Name": name, "Value": value} for name, value in sorted(wanted.filters.items())]
    entry: Document = {"Id": wanted.name, "Topic": wanted.topic, "Event": sorted(wanted.events)}
    entry |= {"Filter": {"S3Key": {"FilterRule": rules}}} if rules else {}
    return _written("NotificationConfiguration", {"TopicConfiguration": [entry]})


def lifecycle(text: str) -> bytes:
    """The document of a lifecycle that is given as JSON, as Rook takes it."""
    try:
        rules = json.loads(text)["Rules"]
    except (ValueError, KeyError, TypeError):
        raise Failure("InvalidSpec", f"bucketLifecycle: expected JSON with Rules, saw {text[:60]!r}") from None
    return _written("LifecycleConfiguration", {"Rule": rules})


def _written(root: str, content: Document) -> bytes:
    element = Element(root, xmlns=NAMESPACE)
    _fill(element, content)
    return ElementTree.tostring(element, encoding="utf-8")


def _fill(element: Element, content: Document) -> None:
    """A list becomes several elements of one name."""
    for name, value in content.items():
        for each in value if isinstance(value, list) else [value]:
            child = SubElement(element, name)
            if isinstance(each, dict):
                _fill(child, each)
            else:
                child.text = str(each)
