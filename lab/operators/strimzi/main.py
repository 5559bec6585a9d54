# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's process: `kopf run -A -m strimzi.main`. Watches, queues, and looks at everything again once a minute.

Environment: KAFKA_IMAGE (the broker's image), EXPORTER_IMAGE (this one), RESYNC_SECONDS (60).
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import kopf

from .cluster import Clusters
from .entities import Entities
from .kube import Api
from .manifests import MANAGED_BY
from .store import Store, cluster_of
from .watching import watch_quietly
from .work import WorkQueue

GROUP = "kafka.strimzi.io"
Key = tuple[str, str, str]
log = logging.getLogger(__name__)


class Operator:
    """What the handlers share."""

    def __init__(self) -> None:
        self.api, self.store = Api.in_cluster("strimzi-cluster-operator"), Store()
        self.clusters = Clusters(self.api, self.store, os.environ["KAFKA_IMAGE"], os.environ["EXPORTER_IMAGE"])
        self.entities = Entities(self.api, self.store, self.clusters)
        self.queue: WorkQueue[Key] = WorkQueue(self.reconcile)
        self.tasks = [asyncio.create_task(self.queue.run()), asyncio.create_task(self.resync())]

    async def reconcile(self, key: Key) -> float | None:
        """Kafka first; when it has become ready, its topics and users follow."""
        kind, namespace, name = key
        if kind == "KafkaTopic":
            return await self.entities.topic(namespace, name)
        if kind == "KafkaUser":
            return await self.entities.user(namespace, name)
        if kind == "Sweep":
            return await self.entities.sweep(namespace, name)
        before = self.clusters.admin(namespace, name)
        delay = await self.clusters.reconcile(namespace, name)
        if self.clusters.admin(namespace, name) is not before and delay is None:
            self.queue_entities(namespace, name)
        return delay

    def queue_entities(self, namespace: str, cluster: str) -> None:
        for kind in ("KafkaTopic", "KafkaUser"):
            for body in self.store.of_cluster(kind, namespace, cluster):
                self.queue.add((kind, namespace, body["metadata"]["name"]))
        self.queue.add(("Sweep", namespace, cluster))

    async def resync(self) -> None:
        """Repairs drift that no event tells of: deleted topics, edited ACLs, changed password Secrets."""
        while True:
            await asyncio.sleep(float(os.environ.get("RESYNC_SECONDS", "60")))
            for kafka in self.store.all("Kafka"):
                namespace, name = kafka["metadata"]["namespace"], kafka["metadata"]["name"]
                self.queue.add(("Kafka", namespace, name))
                self.queue_entities(namespace, name)

    def saw(self, deleted: bool, body: dict[str, Any]) -> None:
        """An event of one of Strimzi's kinds."""
        kind, namespace, name = body["kind"], body["metadata"]["namespace"], body["metadata"]["name"]
        cluster = cluster_of(body)
        if deleted:
            self.store.drop(kind, namespace, name)
        elif not self.store.put(body):
            return
        if kind == "KafkaUser" and deleted and cluster:
            self.queue.add(("Sweep", namespace, cluster))
        elif kind in ("KafkaTopic", "KafkaUser"):
            self.queue.add((kind, namespace, name))
        elif cluster:
            self.queue.add(("Kafka", namespace, cluster))


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """The queue's tasks live in kopf's loop."""
    watch_quietly(settings)
    memo.operator = Operator()
    log.warning("watching %s in all namespaces", GROUP)


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Leaves the brokers alone and goes."""
    for task in memo.operator.tasks:
        task.cancel()
    await memo.operator.api.close()


@kopf.on.event(GROUP, "v1", "kafkas")
@kopf.on.event(GROUP, "v1", "kafkanodepools")
@kopf.on.event(GROUP, "v1", "kafkatopics")
@kopf.on.event(GROUP, "v1", "kafkausers")
async def strimzi_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Every change of Strimzi's kinds, and all of them once at start."""
    memo.operator.saw(event["type"] == "DELETED", event["object"])


@kopf.on.event("apps", "v1", "statefulsets", labels=MANAGED_BY)
@kopf.on.event("apps", "v1", "deployments", labels=MANAGED_BY)
async def workload_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """A workload of ours moved: its cluster may have become ready, or may be no longer."""
    meta = event["object"]["metadata"]
    memo.operator.queue.add(("Kafka", meta["namespace"], meta["labels"]["strimzi.io/cluster"]))
