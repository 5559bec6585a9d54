# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for KnativeKafka: `kopf run -A -m eventing_kafka.installer`. Installs parts.yaml beside the resource.

What it makes belongs to the KnativeKafka and goes with it. Environment: KAFKA_IMAGE (the parts' image), RESYNC_SECONDS
(60).
"""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import kopf
import yaml
from strimzi.conditions import condition, is_true
from strimzi.kube import Api, ApiError, object_path
from strimzi.store import Store
from strimzi.watching import watch_quietly
from strimzi.work import WorkQueue

from .status import living_set, status

GROUP, VERSION = "operator.serverless.openshift.io", "1.15.0"
PARTS = Path(__file__).with_name("parts.yaml")
SINK_PART = "kafka-sink-ingress"
LABELS = {"app.kubernetes.io/managed-by": "knative-openshift"}
Body = dict[str, Any]
Key = tuple[str, str]
log = logging.getLogger(__name__)


def enabled(spec: Body, part: str) -> bool:
    return bool((spec.get(part) or {}).get("enabled"))


def parts_of(knative_kafka: Body, image: str) -> tuple[list[Body], list[Body]]:
    """What is to be there and what is not, as the spec enables source and sink."""
    spec, meta = knative_kafka["spec"], knative_kafka["metadata"]
    owner = {key: knative_kafka[key] for key in ("apiVersion", "kind")} | {"name": meta["name"], "uid": meta["uid"]}
    wanted: list[Body] = []
    unwanted: list[Body] = []
    for part in yaml.safe_load_all(PARTS.read_text().replace("@IMAGE@", image)):
        part["metadata"] |= {"namespace": meta["namespace"], "ownerReferences": [owner]}
        part["metadata"]["labels"] = part["metadata"].get("labels", {}) | LABELS
        of_sink = part["metadata"]["name"] == SINK_PART
        here = enabled(spec, "sink") or (not of_sink and enabled(spec, "source"))
        (wanted if here else unwanted).append(part)
    return wanted, unwanted


class Installer:
    """What the handlers share."""

    def __init__(self) -> None:
        self.api, self.store = Api.in_cluster("knative-openshift"), Store()
        self.image = os.environ["KAFKA_IMAGE"]
        self.queue: WorkQueue[Key] = WorkQueue(self.reconcile, workers=1)
        self.task = asyncio.create_task(self.queue.run())

    async def reconcile(self, key: Key) -> float | None:
        body = self.store.get("KnativeKafka", *key)
        if body is None or body["metadata"].get("deletionTimestamp"):
            return None
        try:
            missing = await self.install(body)
            installed = condition("InstallSucceeded")
            available = (
                condition("DeploymentsAvailable", "False", "NotReady", f"Waiting on deployments: {', '.join(missing)}")
                if missing
                else condition("DeploymentsAvailable")
            )
        except ApiError as error:
            installed = condition("InstallSucceeded", "False", "Error", f"Install failed with message: {error}")
            available = condition("DeploymentsAvailable", "Unknown")
        old = (body.get("status") or {}).get("conditions")
        conditions = living_set(old, [installed, available], ("DeploymentsAvailable", "InstallSucceeded"))
        await self.api.set_status(body, status(body, conditions, version=VERSION))
        return float(os.environ.get("RESYNC_SECONDS", "60")) if is_true(body, "Ready") else 2.0

    async def install(self, body: Body) -> list[str]:
        """The Deployments that are not available yet."""
        wanted, unwanted = parts_of(body, self.image)
        for part in unwanted:
            await self.api.delete(object_path(part))
        applied = [await self.api.apply(part) for part in wanted]
        return [part["metadata"]["name"] for part in applied if part["kind"] == "Deployment" and not settled(part)]

    def saw(self, deleted: bool, body: Body) -> None:
        """An event of a KnativeKafka."""
        meta = body["metadata"]
        if deleted:
            self.store.drop("KnativeKafka", meta["namespace"], meta["name"])
        elif self.store.put(body):
            self.queue.add((meta["namespace"], meta["name"]))

    def moved(self, namespace: str) -> None:
        """A Deployment of ours changed."""
        for body in self.store.all("KnativeKafka"):
            if body["metadata"]["namespace"] == namespace:
                self.queue.add((namespace, body["metadata"]["name"]))


def settled(deployment: Body) -> bool:
    seen = (deployment.get("status") or {}).get("observedGeneration") == deployment["metadata"]["generation"]
    return seen and is_true(deployment, "Available")


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """The queue's task lives in kopf's loop."""
    watch_quietly(settings)
    memo.installer = Installer()
    log.warning("watching KnativeKafkas")


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    memo.installer.task.cancel()
    await memo.installer.api.close()


@kopf.on.event(GROUP, "v1alpha1", "knativekafkas")
async def knative_kafka_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Every change of one, and all of them once at start."""
    memo.installer.saw(event["type"] == "DELETED", event["object"])


@kopf.on.event("apps", "v1", "deployments", labels=LABELS)
async def deployment_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    memo.installer.moved(event["object"]["metadata"]["namespace"])
