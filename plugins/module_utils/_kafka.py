# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads a Kafka topic. The only file that knows confluent-kafka; it is imported when a topic is opened.

No consumer group is joined and no offset committed: reading dead letters leaves no trace and needs only the rights to
read and describe the topic.
"""

from __future__ import annotations

import logging
import os
import re
import time
from dataclasses import dataclass, field
from typing import Any

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._dead_letters import Message

BATCH = 500
ANSWER_WITHIN = 20  # seconds
KAFKA_ARGUMENTS: dict[str, dict[str, Any]] = {
    "bootstrap_servers": {"type": "list", "elements": "str", "required": True},
    "topic": {"type": "str", "default": "xray-images-dead-letters"},
    "user": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_bundle": {"type": "path"},
    "mechanism": {"type": "str", "choices": ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"], "default": "SCRAM-SHA-512"},
    "use_ssl": {"type": "bool", "default": True},
}


class KafkaError(Exception):
    """A sentence on what was tried, where, what came back and where to look."""


@dataclass
class Topic:
    """A topic that is open for reading from `begin` (offset by partition) on."""

    consumer: Any
    name: str
    begin: dict[int, int] = field(default_factory=dict)
    end: dict[int, int] = field(default_factory=dict)

    def read(self, timeout: float) -> list[Message]:
        """What has come since the last call; waits for at most `timeout` seconds for the first message."""
        messages = self.consumer.consume(BATCH, timeout)
        return [read_message(message) for message in messages if message.error() is None]

    def read_to_end(self, timeout: float) -> list[Message]:
        """All messages that were there when the topic was opened. Raises KafkaError when they do not come in time."""
        found: list[Message] = []
        next_offset, deadline = dict(self.begin), time.monotonic() + timeout
        while any(next_offset[partition] < end for partition, end in self.end.items()):
            if time.monotonic() > deadline:
                raise KafkaError(
                    f"Read {len(found)} messages of topic {self.name}, but the rest did not come within {timeout:g} s."
                )
            batch = self.read(1.0)
            found += batch
            for partition, offset in self.positions().items():
                next_offset[partition] = max(next_offset[partition], offset)
        return found

    def positions(self) -> dict[int, int]:
        """Offsets that come next, past markers of transactions too; {} before anything was read."""
        return {p.partition: p.offset for p in self.consumer.position(self.consumer.assignment()) if p.offset >= 0}

    def close(self) -> None:
        self.consumer.close()


def open_topic(options: dict[str, Any], newest_only: bool, last: int | None = None) -> Topic:
    """`newest_only` reads what comes from now on; `last` begins so many messages before the end of each partition."""
    try:
        from confluent_kafka import Consumer, KafkaException, TopicPartition
    except ImportError as error:
        reason = f"to read Kafka ({error}). Run: pip install confluent-kafka"
        raise KafkaError(missing_required_lib("confluent_kafka", reason=reason)) from None
    check_ca(options)
    errors: list[str] = []
    try:
        consumer = Consumer(settings(options) | {"error_cb": lambda error: errors.append(error.str())}, logger=silent())
    except KafkaException as error:
        raise KafkaError(f"The Kafka options do not work: {error.args[0].str()}.") from None
    topic = Topic(consumer, options["topic"])
    try:
        for number in partitions(consumer, options, errors):
            low, high = consumer.get_watermark_offsets(TopicPartition(topic.name, number), timeout=ANSWER_WITHIN)
            start = high if newest_only else low if last is None else max(low, high - last)
            topic.begin[number], topic.end[number] = start, high
    except KafkaException as error:
        consumer.close()
        raise KafkaError(sentence(options, error.args[0].str(), errors)) from None
    except KafkaError:
        consumer.close()
        raise
    consumer.assign([TopicPartition(topic.name, number, offset) for number, offset in topic.begin.items()])
    return topic


def check_ca(options: dict[str, Any]) -> None:
    bundle = options["ca_bundle"]
    if options["use_ssl"] and bundle and not os.access(bundle, os.R_OK):
        raise KafkaError(f"ca_bundle must be a readable file of certificates, but {bundle} is not.")


def settings(options: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "bootstrap.servers": ",".join(options["bootstrap_servers"]),
        "group.id": "xraylab-dead-letters",  # librdkafka wants one; it is never joined
        "enable.auto.commit": False,
        "security.protocol": ("SASL_" if options["user"] else "") + ("SSL" if options["use_ssl"] else "PLAINTEXT"),
        "client.id": "xraylab-dead-letters",
    }
    if options["user"]:
        found |= {
            "sasl.mechanism": options["mechanism"],
            "sasl.username": options["user"],
            "sasl.password": options["password"] or "",
        }
    if options["use_ssl"] and options["ca_bundle"]:
        found["ssl.ca.location"] = options["ca_bundle"]
    return found


def partitions(consumer: Any, options: dict[str, Any], errors: list[str]) -> list[int]:
    """Numbers of the topic's partitions. Does not wait for a login or a certificate to become right."""
    from confluent_kafka import KafkaException

    deadline = time.monotonic() + ANSWER_WITHIN
    while True:
        try:
            found = consumer.list_topics(options["topic"], timeout=2).topics[options["topic"]]
            break
        except KafkaException as error:
            consumer.poll(0)  # lets librdkafka tell its errors
            refused = any(advice(cause) in REFUSALS for cause in errors)
            if refused or time.monotonic() > deadline:
                raise KafkaError(sentence(options, error.args[0].str(), errors)) from None
    if found.error is not None:
        raise KafkaError(sentence(options, found.error.str(), errors))
    return sorted(found.partitions)


def sentence(options: dict[str, Any], seen: str, errors: list[str]) -> str:
    """librdkafka tells the cause of a failed request (a refused password, say) only to its error callback."""
    told = next((error for error in reversed(errors) if "brokers are down" not in error), seen)
    cause = AROUND.sub("", told)
    tried = f"Could not read topic {options['topic']} at {','.join(options['bootstrap_servers'])}: {cause}."
    return f"{tried} {advice(told)}"


def advice(told: str) -> str:
    """Where to look for the cause of an error of librdkafka."""
    text = AROUND.sub("", told).lower()
    return next((hint for words, hint in HINTS if any(word in text for word in words)), UNREACHABLE)


# "sasl_ssl://10.250.0.1:30958/bootstrap: ... (after 3ms in state CONNECT)"
AROUND = re.compile(r"^\w+://\S+: | \(after .*\)$")
UNREACHABLE = "Check that bootstrap_servers is the address of the Kafka listener that can be reached from here."
WRONG_CA = "ca_bundle must hold the Kafka cluster's CA certificate (Secret <cluster>-cluster-ca-cert, key ca.crt)."
WRONG_LOGIN = "Check user, password and mechanism: they are those of a KafkaUser that is Ready."
REFUSALS = (WRONG_CA, WRONG_LOGIN)
HINTS = (
    (("connect to", "failed to resolve"), UNREACHABLE),
    (("ssl handshake", "certificate"), WRONG_CA),
    (("authentication", "sasl"), WRONG_LOGIN),
    (("authorization", "not authorized"), "Give the KafkaUser the operations Read and Describe on the topic."),
    (("unknown topic",), "Check the topic's name, or give the KafkaUser the operation Describe on it."),
)


def silent() -> logging.Logger:
    """librdkafka's own log would break the module's output on stderr."""
    logger = logging.getLogger("xraylab.kafka")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


def read_message(message: Any) -> Message:
    headers = {name: (value or b"").decode(errors="replace") for name, value in message.headers() or []}
    return Message(headers, message.value() or b"", message.timestamp()[1], message.partition(), message.offset())
