# SPDX-License-Identifier: GPL-3.0-or-later
"""What has to happen to a topic for its KafkaTopic to be true. Pure: admin.py does it, operator.py asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from .work import Failure

FINALIZER = "strimzi.io/topic-operator"


@dataclass(frozen=True)
class Topic:
    """A topic as Kafka has it."""

    name: str
    partitions: int
    replicas: int
    config: dict[str, str]
    id: str


@dataclass(frozen=True)
class Changes:
    """create, or the new number of partitions (0 for none) and options to set (None: to remove)."""

    create: bool = False
    partitions: int = 0
    config: dict[str, str | None] = field(default_factory=dict)


def topic_name(body: dict[str, Any]) -> str:
    """spec.topicName, else the resource's name; a Failure when the name was changed afterwards."""
    name = body["spec"].get("topicName") or body["metadata"]["name"]
    before = (body.get("status") or {}).get("topicName")
    if before and before != name:
        raise Failure("NotSupported", "Changing spec.topicName is not supported")
    return name


def config_text(value: Any) -> str:
    """A configuration value as Kafka spells it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ",".join(config_text(v) for v in value)
    return str(value)


def wanted_config(spec: dict[str, Any]) -> dict[str, str]:
    return {key: config_text(value) for key, value in (spec.get("config") or {}).items() if value is not None}


def decide(spec: dict[str, Any], seen: Topic | None) -> Changes:
    """The changes to make; a Failure with Strimzi's reason for what Kafka cannot do."""
    if seen is None:
        return Changes(create=True)
    partitions, replicas = spec.get("partitions"), spec.get("replicas")
    if partitions is not None and partitions < seen.partitions:
        raise Failure("NotSupported", "Decreasing partitions not supported")
    if replicas is not None and replicas != seen.replicas:
        raise Failure(
            "NotSupported", f"Replication factor change not supported, but required for partitions of {seen.name}"
        )
    wanted = wanted_config(spec)
    changed: dict[str, str | None] = {k: v for k, v in wanted.items() if seen.config.get(k) != v}
    removed: dict[str, str | None] = {k: None for k in seen.config if k not in wanted}
    grow = partitions if partitions is not None and partitions > seen.partitions else 0
    return Changes(partitions=grow, config=changed | removed)
