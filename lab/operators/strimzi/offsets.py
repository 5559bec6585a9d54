# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exporter asks the brokers: partitions, their offsets, consumer groups."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import OffsetSpec

from .admin import SECONDS, Admin, done

Place = tuple[str, int]


@dataclass(frozen=True)
class Group:
    """A consumer group: its members now, and the next offset it wants of each partition that it has committed."""

    name: str
    members: int
    offsets: dict[Place, int]


class Offsets(Admin):
    """A connection that only reads."""

    async def places(self) -> list[Place]:
        """Every partition of every topic."""
        found = await asyncio.to_thread(self._client.list_topics, timeout=SECONDS)
        return sorted((name, partition) for name, topic in found.topics.items() for partition in topic.partitions)

    async def offsets(self, places: list[Place], latest: bool) -> dict[Place, int]:
        """The offset that each partition's next record gets, or that its first record has."""
        spec = OffsetSpec.latest() if latest else OffsetSpec.earliest()
        asked = {TopicPartition(*place): spec for place in places}
        futures = self._client.list_offsets(asked, request_timeout=SECONDS) if asked else {}
        return {(place.topic, place.partition): (await done(future)).offset for place, future in futures.items()}

    async def group_names(self) -> list[str]:
        listed = await done(self._client.list_consumer_groups(request_timeout=SECONDS))
        return sorted(group.group_id for group in listed.valid)

    async def groups(self, names: list[str]) -> list[Group]:
        described = self._client.describe_consumer_groups(names, request_timeout=SECONDS) if names else {}
        return [
            Group(name, len((await done(future)).members), await self._committed(name))
            for name, future in described.items()
        ]

    async def _committed(self, group: str) -> dict[Place, int]:
        asked = [ConsumerGroupTopicPartitions(group)]
        answer = await done(self._client.list_consumer_group_offsets(asked, request_timeout=SECONDS)[group])
        return {(p.topic, p.partition): p.offset for p in answer.topic_partitions}
