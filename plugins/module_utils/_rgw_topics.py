# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Decides whether an RGW topic is as it is wanted. Pure: answers of RGW's SNS API in, attributes to write out.

RGW keeps the arguments of CreateTopic as one string, unescaped, with every argument in it twice (seen with 16.2.15):
Attributes.entry.1.key=persistent&Attributes.entry.1.value=true&Version=2010-03-31&persistent=true
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote
from xml.etree.ElementTree import Element

ATTRIBUTES = {
    "push_endpoint": "push-endpoint",
    "persistent": "persistent",
    "kafka_ack_level": "kafka-ack-level",
    "mechanism": "mechanism",
    "use_ssl": "use-ssl",
    "verify_ssl": "verify-ssl",
    "ca_location": "ca-location",
    "amqp_exchange": "amqp-exchange",
    "amqp_ack_level": "amqp-ack-level",
    "cloudevents": "cloudevents",
    "max_retries": "max_retries",
    "time_to_live": "time_to_live",
    "retry_sleep_duration": "retry_sleep_duration",
    "opaque_data": "OpaqueData",
}
# What RGW does when an attribute is not sent: then a topic made without it is the same as one made with it.
DEFAULTS = {
    "persistent": "false",
    "kafka-ack-level": "broker",
    "use-ssl": "false",
    "verify-ssl": "true",
    "amqp-ack-level": "broker",
    "cloudevents": "false",
}
BOOLEANS = ("persistent", "use-ssl", "verify-ssl", "cloudevents")
MASK = "********"
ENDPOINT = re.compile(r"(?P<scheme>[a-z0-9+]+://)(?P<user>[^:@/]*):(?P<password>.*)@(?P<rest>[^@]*)", re.S)
ARGUMENT = re.compile(r"(?:^|&)(Attributes\.entry\.\d+\.(?:key|value)|Version|[A-Za-z][A-Za-z_-]*)=", re.S)


@dataclass(frozen=True)
class Difference:
    """`before` and `after` hold no password; `login` is "same", "changed" or "hidden" (RGW does not show it)."""

    before: dict[str, str]
    after: dict[str, str]
    login: str

    def must_write(self, always: bool) -> bool:
        return self.before != self.after or self.login == "changed" or (always and self.login == "hidden")


def wanted_attributes(options: dict[str, Any]) -> dict[str, str]:
    """CreateTopic's attributes for the options that were given."""
    given = {attribute: options[option] for option, attribute in ATTRIBUTES.items() if options[option] is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}


def read_topic(answer: Element) -> tuple[str, dict[str, str]]:
    """(ARN, attributes) of a GetTopicAttributes answer."""
    entries = {entry.findtext("{*}key", ""): entry.findtext("{*}value", "") for entry in answer.iterfind(".//{*}entry")}
    endpoint = json.loads(entries["EndPoint"])
    stored = read_arguments(endpoint.get("EndpointArgs", ""))
    stored |= {"push-endpoint": endpoint.get("EndpointAddress", ""), "OpaqueData": entries.get("OpaqueData", "")}
    if "Persistent" in endpoint:
        stored["persistent"] = str(endpoint["Persistent"])
    return entries["TopicArn"], {name: text for name, text in stored.items() if text and name in ATTRIBUTES.values()}


def read_arguments(text: str) -> dict[str, str]:
    """EndpointArgs by name; of a value that itself holds "&name=" the rest is cut off."""
    _start, *pairs = ARGUMENT.split(text)
    return dict(zip(pairs[::2], pairs[1::2], strict=True))


def compare(stored: dict[str, str], wanted: dict[str, str]) -> Difference:
    before, old = without_password(stored)
    after, new = without_password(wanted)
    login = "same" if old == new else "hidden" if old is not None and is_hidden(old) else "changed"
    if old is None and before["push-endpoint"] == after["push-endpoint"].replace(f":{MASK}@", "@"):
        before["push-endpoint"], login = after["push-endpoint"], "hidden" if new else "same"
    return Difference(before, after, login)


def is_hidden(password: str) -> bool:
    return not password or set(password) == {"*"}


def without_password(attributes: dict[str, str]) -> tuple[dict[str, str], str | None]:
    """Attributes with RGW's defaults filled in and the password masked; the password (None: there is none)."""
    full = DEFAULTS | {"push-endpoint": ""} | attributes
    full |= {name: full[name].lower() for name in BOOLEANS}
    full["push-endpoint"], password = split_password(full["push-endpoint"])
    return full, password


def split_password(endpoint: str) -> tuple[str, str | None]:
    """("kafka://rgw:********@host:9094", "secret") from "kafka://rgw:secret@host:9094"."""
    match = ENDPOINT.fullmatch(endpoint)
    if not match:
        return endpoint, None
    return f"{match['scheme']}{match['user']}:{MASK}@{match['rest']}", match["password"]


def secrets_of(endpoint: str) -> set[str]:
    """The endpoint's password in the two ways in which it may appear in a text."""
    password = split_password(endpoint)[1]
    return {password, unquote(password)} if password else set()


def describe(name: str, arn: str, attributes: dict[str, str]) -> dict[str, Any]:
    """A topic for people and playbooks, named like the module's options, without the password."""
    shown = without_password(attributes)[0]
    known = {"persistent", "verify-ssl", *attributes}
    options = {option: shown[attribute] for option, attribute in ATTRIBUTES.items() if attribute in known}
    options |= {option: options[option] == "true" for option in options if ATTRIBUTES[option] in BOOLEANS}
    return {"name": name, "arn": arn, **options}
