# SPDX-License-Identifier: GPL-3.0-or-later
"""The controller's process: `kopf run -A -m eventing_kafka.main`. Watches, queues, looks at all again once a minute.

Environment: DATA_PLANE_IMAGE (the dispatchers' image), SINK_INGRESS (host of the KafkaSinks' addresses),
RESYNC_SECONDS (60).
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import kopf
from strimzi.kube import Api
from strimzi.store import Store
from strimzi.watching import watch_quietly
from strimzi.work import WorkQueue, retry_delay

from . import sinks
from .manifests import SELECTOR
from .sources import Sources

Key = tuple[str, str, str]
log = logging.getLogger(__name__)


class Controller:
    """What the handlers share."""

    def __init__(self) -> None:
        self.api, self.store = Api.in_cluster("kafka-controller"), Store()
        self.ingress = os.environ["SINK_INGRESS"]
        self.sources = Sources(self.api, os.environ["DATA_PLANE_IMAGE"])
        self.queue: WorkQueue[Key] = WorkQueue(self.reconcile)
        self.waiting: dict[Key, int] = {}
        self.tasks = [asyncio.create_task(self.queue.run())]

    async def reconcile(self, key: Key) -> float | None:
        """A Ready one is seen again at the resync, another one soon, then later and later."""
        body = self.store.get(*key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            self.waiting.pop(key, None)
            return None
        if key[0] == "KafkaSink":
            ready = await sinks.reconcile(self.api, body, self.ingress)
        else:
            ready = await self.sources.reconcile(body)
        if ready:
            self.waiting.pop(key, None)
            return float(os.environ.get("RESYNC_SECONDS", "60"))
        self.waiting[key] = self.waiting.get(key, 0) + 1
        return min(30.0, retry_delay(self.waiting[key]))

    def saw(self, deleted: bool, body: dict[str, Any]) -> None:
        """An event of a KafkaSource or KafkaSink."""
        key = (body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
        if deleted:
            self.store.drop(*key)
        elif self.store.put(body):
            self.waiting.pop(key, None)
            self.queue.add(key)


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """The queue's task lives in kopf's loop."""
    watch_quietly(settings)
    memo.controller = Controller()
    log.warning("watching KafkaSources and KafkaSinks in all namespaces")


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Leaves the dispatchers alone and goes."""
    for task in memo.controller.tasks:
        task.cancel()
    await memo.controller.api.close()


@kopf.on.event("sources.knative.dev", "v1beta1", "kafkasources")
@kopf.on.event("eventing.knative.dev", "v1alpha1", "kafkasinks")
async def resource_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Every change of a source or sink, and all of them once at start."""
    memo.controller.saw(event["type"] == "DELETED", event["object"])


@kopf.on.event("apps", "v1", "deployments", labels=SELECTOR)
async def dispatcher_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """A dispatcher moved: its source may have become ready, or may be no longer."""
    meta = event["object"]["metadata"]
    name = (meta.get("labels") or {}).get("eventing.knative.dev/sourceName", "")
    memo.controller.queue.add(("KafkaSource", meta["namespace"], name))
