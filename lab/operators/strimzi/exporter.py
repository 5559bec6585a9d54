# SPDX-License-Identifier: GPL-3.0-or-later
"""Topics' ends and consumers' lag under kafka_exporter's names: `python3 -m strimzi.exporter`.

GET /metrics, /healthz on port 9404. Environment: BOOTSTRAP (host:port) and, as in spec.kafkaExporter, TOPIC_REGEX,
TOPIC_EXCLUDE_REGEX, GROUP_REGEX, GROUP_EXCLUDE_REGEX.
Certificates: /etc/kafka-exporter/{ca.crt,kafka-exporter.crt,kafka-exporter.key}.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
from pathlib import Path

from aiohttp import web
from confluent_kafka import KafkaException

from .admin import Credentials, explain
from .manifests import EXPORTER_CERTS, EXPORTER_PORT
from .metrics import Metrics
from .offsets import Group, Offsets, Place

log = logging.getLogger(__name__)


class Chosen:
    """Which names are asked for: `wanted` is found in them and `unwanted` is not."""

    def __init__(self, wanted: str = ".*", unwanted: str = "") -> None:
        self._wanted, self._unwanted = re.compile(wanted or ".*"), re.compile(unwanted or "^$")

    def __contains__(self, name: str) -> bool:
        return bool(self._wanted.search(name)) and not self._unwanted.search(name)


def topic_metrics(metrics: Metrics, oldest: dict[Place, int], ends: dict[Place, int]) -> None:
    """Where each partition begins and ends, and how many a topic has."""
    counts: dict[str, int] = {}
    for (topic, partition), end in ends.items():
        metrics.set("topic_partition_current_offset", end, topic=topic, partition=str(partition))
        counts[topic] = counts.get(topic, 0) + 1
    for (topic, partition), offset in oldest.items():
        metrics.set("topic_partition_oldest_offset", offset, topic=topic, partition=str(partition))
    for topic, count in counts.items():
        metrics.set("topic_partitions", count, topic=topic)


def group_metrics(metrics: Metrics, group: Group, ends: dict[Place, int]) -> None:
    """How far a consumer group is and how far behind, in the topics it has committed anything of."""
    metrics.set("consumergroup_members", group.members, consumergroup=group.name)
    topics = {topic for topic, _ in group.offsets}
    lags: dict[str, int] = {}
    for (topic, partition), end in ends.items():
        if topic not in topics:
            continue
        offset = group.offsets.get((topic, partition), -1)
        # kafka_exporter says -1 where nothing was committed. The ends were read first: a commit may be ahead of them.
        lag = max(0, end - offset) if offset >= 0 else -1
        labels = {"consumergroup": group.name, "topic": topic, "partition": str(partition)}
        metrics.set("consumergroup_current_offset", offset, **labels)
        metrics.set("consumergroup_lag", lag, **labels)
        lags[topic] = lags.get(topic, 0) + max(0, lag)
    for topic, lag in lags.items():
        metrics.set("consumergroup_lag_sum", lag, consumergroup=group.name, topic=topic)


class Exporter:
    """Asks the brokers anew for every scrape."""

    def __init__(self, admin: Offsets, topics: Chosen, groups: Chosen) -> None:
        self._admin, self._topics, self._groups = admin, topics, groups

    async def collect(self) -> str:
        metrics = Metrics("kafka")
        metrics.set("brokers", len(await self._admin.broker_ids()))
        places = [p for p in await self._admin.places() if p[0] in self._topics]
        ends = await self._admin.offsets(places, latest=True)
        topic_metrics(metrics, await self._admin.offsets(places, latest=False), ends)
        names = [name for name in await self._admin.group_names() if name in self._groups]
        for group in await self._admin.groups(names):
            group_metrics(metrics, group, ends)
        return metrics.text()

    async def show(self, _request: web.Request) -> web.Response:
        try:
            return web.Response(text=await self.collect())
        except KafkaException as error:
            log.warning("the brokers do not answer: %s", explain(error))
            return web.Response(status=503, text=f"the brokers do not answer: {explain(error)}\n")

    async def healthy(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")


def exporter() -> Exporter:
    """The exporter that the environment describes."""
    folder = Path(EXPORTER_CERTS)
    files = ("ca.crt", "kafka-exporter.crt", "kafka-exporter.key")
    credentials = Credentials(*((folder / name).read_bytes() for name in files))

    def chosen(kind: str) -> Chosen:
        return Chosen(os.environ.get(f"{kind}_REGEX", ""), os.environ.get(f"{kind}_EXCLUDE_REGEX", ""))

    return Exporter(Offsets(os.environ["BOOTSTRAP"], credentials), chosen("TOPIC"), chosen("GROUP"))


async def application() -> web.Application:
    # librdkafka's futures belong to the loop that serves.
    found, app = exporter(), web.Application()
    app.router.add_get("/metrics", found.show)
    app.router.add_get("/healthz", found.healthy)
    return app


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    web.run_app(application(), port=EXPORTER_PORT, access_log=None, loop=asyncio.new_event_loop())
