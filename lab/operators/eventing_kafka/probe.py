# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's own look into Kafka: are the topics there, where does a new consumer group start."""

from __future__ import annotations

import asyncio
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from .connection import Auth

SECONDS = 10.0


class Unreachable(Exception):
    """No connection, or not allowed to look; the message is Kafka's."""


class TopicsMissing(Exception):
    """The message names the topics."""


class Probe:
    """A short-lived admin connection."""

    def __init__(self, bootstrap: str, auth: Auth) -> None:
        self._bootstrap, self.trouble = bootstrap, ""
        self._client = AdminClient(
            {**auth.options(), "bootstrap.servers": bootstrap, "log_level": 2, "error_cb": self._failed}
        )

    def _failed(self, error: KafkaError) -> None:
        self.trouble = error.str()

    def _unreachable(self, error: KafkaException) -> Unreachable:
        self._client.poll(0)  # hands over what error_cb has to say, such as a refused password
        return Unreachable(f"{self._bootstrap}: {error.args[0].str()} {self.trouble}".strip())

    async def _ask(self, futures: dict[Any, Any]) -> list[Any]:
        try:
            return [await asyncio.wrap_future(f) for f in futures.values()]
        except KafkaException as error:
            raise self._unreachable(error) from error

    async def partitions(self, topics: list[str]) -> list[TopicPartition]:
        """Every partition of the topics; raises TopicsMissing."""
        try:
            known = (await asyncio.to_thread(self._client.list_topics, timeout=SECONDS)).topics
        except KafkaException as error:
            raise self._unreachable(error) from error
        missing = [t for t in topics if t not in known or known[t].error is not None]
        if missing:
            raise TopicsMissing(f"topics {missing} do not exist, or this user may not describe them")
        return [TopicPartition(t, p) for t in topics for p in known[t].partitions]

    async def create(self, topic: str, partitions: int, replication: int) -> None:
        """Creates a topic unless it is there."""
        try:
            await asyncio.wrap_future(self._client.create_topics([NewTopic(topic, partitions, replication)])[topic])
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Unreachable(f"{self._bootstrap}: {error.args[0].str()}") from error

    async def commit_initial(self, group: str, places: list[TopicPartition], initial: str) -> int:
        """Commits where the group starts for partitions it has no offset for yet, so that `latest` means now.

        Answers how many. A group with live members keeps its own book and is left alone.
        """
        asked = ConsumerGroupTopicPartitions(group, places)
        (found,) = await self._ask(self._client.list_consumer_group_offsets([asked], request_timeout=SECONDS))
        fresh = [p for p in found.topic_partitions if p.offset < 0]
        if not fresh:
            return 0
        spec = OffsetSpec.latest() if initial == "latest" else OffsetSpec.earliest()
        wanted = {TopicPartition(p.topic, p.partition): spec for p in fresh}
        futures = self._client.list_offsets(wanted, request_timeout=SECONDS)
        starts = dict(zip(futures, await self._ask(futures), strict=True))
        moved = [TopicPartition(p.topic, p.partition, starts[p].offset) for p in starts]
        request = ConsumerGroupTopicPartitions(group, moved)
        try:
            for future in self._client.alter_consumer_group_offsets([request]).values():
                for place in (await asyncio.wrap_future(future)).topic_partitions:
                    if place.error:
                        raise KafkaException(place.error)
        except KafkaException as error:
            if error.args[0].code() not in (KafkaError.UNKNOWN_MEMBER_ID, KafkaError.NON_EMPTY_GROUP):
                raise Unreachable(f"group {group}: {error.args[0].str()}") from error
        return len(moved)
