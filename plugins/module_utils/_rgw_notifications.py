# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides what makes a bucket's notification as it is wanted. Pure: NotificationConfiguration documents in and out.

RGW's own ways (seen with 16.2.15): PUT adds to what is there; it replaces a notification only when both its id and its
topic are the same, so one id can be there several times; DELETE by id removes one of these; GET shows the filters
sorted by name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
FILTERS = ("prefix", "suffix", "regex")


@dataclass(frozen=True)
class Notification:
    """`filters` maps prefix, suffix and regex (and what others set: metadata:<key>, tag:<key>) to their values."""

    name: str
    topic: str
    events: frozenset[str]
    filters: dict[str, str] = field(default_factory=dict)

    def same_as(self, other: Notification) -> bool:
        """Topics are compared by name: RGW ignores the zone group in an ARN."""
        mine, theirs = (n.topic.rpartition(":")[2] for n in (self, other))
        return (self.name, mine, self.events, self.filters) == (other.name, theirs, other.events, other.filters)


@dataclass(frozen=True)
class Plan:
    """First `deletes` requests that delete the notification by its name, then a PUT of it when `put`."""

    deletes: int
    put: bool

    @property
    def changes(self) -> bool:
        return bool(self.deletes or self.put)


def wanted_notification(options: dict[str, Any]) -> Notification:
    topic = options["topic"] or ""
    arn = topic if topic.startswith("arn:") else f"arn:aws:sns:::{topic}"
    filters = {name: options[name] for name in FILTERS if options[name]}
    return Notification(options["name"], arn, frozenset(options["events"]), filters)


def read_notifications(document: Element) -> list[Notification]:
    return [read_notification(entry) for entry in document.iterfind("{*}TopicConfiguration")]


def read_notification(entry: Element) -> Notification:
    filters = {}
    for path, label in (("S3Key", ""), ("S3Metadata", "metadata:"), ("S3Tags", "tag:")):
        for rule in entry.iterfind(f"{{*}}Filter/{{*}}{path}/{{*}}FilterRule"):
            filters[label + rule.findtext("{*}Name", "").lower()] = rule.findtext("{*}Value", "")
    events = frozenset(event.text or "" for event in entry.iterfind("{*}Event"))
    return Notification(entry.findtext("{*}Id", ""), entry.findtext("{*}Topic", ""), events, filters)


def write_notification(notification: Notification) -> bytes:
    """A NotificationConfiguration of this one, which RGW adds to the bucket's others."""
    document = ElementTree.Element("NotificationConfiguration", xmlns=NAMESPACE)
    entry = ElementTree.SubElement(document, "TopicConfiguration")
    for tag, text in (("Id", notification.name), ("Topic", notification.topic)):
        ElementTree.SubElement(entry, tag).text = text
    for event in sorted(notification.events):
        ElementTree.SubElement(entry, "Event").text = event
    if notification.filters:
        rules = ElementTree.SubElement(ElementTree.SubElement(entry, "Filter"), "S3Key")
        for name, value in notification.filters.items():
            rule = ElementTree.SubElement(rules, "FilterRule")
            ElementTree.SubElement(rule, "Name").text = name
            ElementTree.SubElement(rule, "Value").text = value
    return ElementTree.tostring(document, encoding="utf-8")


def plan(found: list[Notification], wanted: Notification, state: str, refresh: bool) -> Plan:
    """`found` are all notifications of the bucket; those of another name are left alone."""
    mine = [notification for notification in found if notification.name == wanted.name]
    if state == "absent":
        return Plan(len(mine), put=False)
    if len(mine) == 1 and mine[0].same_as(wanted):
        return Plan(0, put=refresh)
    return Plan(len(mine), put=True)


def describe(notification: Notification) -> dict[str, Any]:
    return {
        "name": notification.name,
        "topic": notification.topic.rpartition(":")[2],
        "events": sorted(notification.events),
        **notification.filters,
    }
