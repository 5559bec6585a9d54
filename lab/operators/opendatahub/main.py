# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's process: `kopf run -A -m opendatahub.main`. After every event, and once a minute, it looks at all.

Environment: RESYNC_SECONDS (60).
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import kopf
from strimzi import kube
from strimzi.kube import Api, ApiError, path_of
from strimzi.store import Store
from strimzi.watching import watch_quietly
from strimzi.work import Failure, WorkQueue

from . import platform, serving, workbenches

kube.PLURALS |= {
    "DSCInitialization": "dscinitializations",
    "DataScienceCluster": "datascienceclusters",
    "InferenceService": "inferenceservices",
    "Notebook": "notebooks",
}
EVERYTHING = "everything"
RETRY_SECONDS = 1.0
Body = dict[str, Any]
log = logging.getLogger(__name__)


class Operator:
    """What the handlers share."""

    def __init__(self) -> None:
        self.api, self.store = Api.in_cluster("opendatahub-operator"), Store()
        self.queue: WorkQueue[str] = WorkQueue(self.reconcile, workers=1)
        self.task = asyncio.create_task(self.queue.run())

    async def close(self) -> None:
        self.task.cancel()
        await self.api.close()

    def present(self, kind: str) -> list[Body]:
        return [body for body in self.store.all(kind) if not body["metadata"].get("deletionTimestamp")]

    async def reconcile(self, _key: str) -> float:
        """The platform before what its components watch."""
        for body in self.present("DSCInitialization"):
            error = _failure(platform.check_initialization, body, self._others(body))
            await self.api.set_status(body, platform.initialized(body, error))
        await self._clusters()
        settled = True
        if self._works("workbenches"):
            settled &= await self._each("Notebook", self._notebook, workbenches.settled)
        if self._works("kserve"):
            settled &= await self._each("InferenceService", self._inference, serving.settled)
        return float(os.environ.get("RESYNC_SECONDS", "60")) if settled else RETRY_SECONDS

    async def _clusters(self) -> None:
        phases = [(body.get("status") or {}).get("phase") for body in self.present("DSCInitialization")]
        for body in self.present("DataScienceCluster"):
            error = _failure(platform.check_cluster, body, self._others(body), phases == ["Ready"])
            await self.api.set_status(body, platform.cluster_status(body, error))

    def _others(self, body: Body) -> list[str]:
        names = [other["metadata"]["name"] for other in self.present(body["kind"])]
        return [name for name in names if name != body["metadata"]["name"]]

    def _works(self, component: str) -> bool:
        return any(platform.works(cluster, component) for cluster in self.present("DataScienceCluster"))

    async def _each(self, kind: str, reconcile: Any, settled: Any) -> bool:
        """One resource that the API server refuses stops no other."""
        results = []
        for body in self.present(kind):
            try:
                await reconcile(body)
                results.append(settled(body))
            except ApiError as error:
                log.warning("%s %s: %s", kind, body["metadata"]["name"], error)
                results.append(False)
        return all(results)

    async def _notebook(self, body: Body) -> None:
        if error := _failure(workbenches.check, body):
            await self.api.set_status(body, workbenches.refused(error))
            return
        try:
            for part in (workbenches.service(body), workbenches.stateful_set(body)):
                made = await self.api.apply(part)
        except ApiError as error:
            await self.api.set_status(body, workbenches.refused(Failure("InvalidSpec", str(error))))
            raise
        pods = await self._pods(body, f"notebook-name={body['metadata']['name']}")
        await self.api.set_status(body, workbenches.status(body, made, pods[0] if pods else None))

    async def _inference(self, body: Body) -> None:
        if error := _failure(serving.check, body):
            await self.api.set_status(body, serving.refused(body, error))
            return
        try:
            for part in (serving.kubernetes_service(body), serving.deployment(body)):
                made = await self.api.apply(part)
        except ApiError as error:
            await self.api.set_status(body, serving.refused(body, Failure(serving.INVALID, str(error))))
            raise
        pods = await self._pods(body, f"{serving.LABEL}={body['metadata']['name']}")
        await self.api.set_status(body, serving.status(body, made, pods))

    async def _pods(self, body: Body, selector: str) -> list[Body]:
        return await self.api.list(path_of("v1", "pods", body["metadata"]["namespace"]), selector)

    def saw(self, deleted: bool, body: Body) -> None:
        """An event of one of the four kinds. The store knows the cluster's own two by an empty namespace."""
        meta = body["metadata"]
        meta.setdefault("namespace", "")
        if deleted:
            self.store.drop(body["kind"], meta["namespace"], meta["name"])
        elif not self.store.put(body):
            return
        self.queue.add(EVERYTHING)


def _failure(check: Any, *arguments: Any) -> Failure | None:
    try:
        check(*arguments)
    except Failure as error:
        return error
    return None


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """The queue's task lives in kopf's loop."""
    watch_quietly(settings)
    memo.operator = Operator()
    log.warning("watching Open Data Hub's, Kubeflow's and KServe's kinds in all namespaces")


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    await memo.operator.close()


@kopf.on.event("dscinitialization.opendatahub.io", "v1", "dscinitializations")
@kopf.on.event("datasciencecluster.opendatahub.io", "v1", "datascienceclusters")
@kopf.on.event("kubeflow.org", "v1", "notebooks")
@kopf.on.event("serving.kserve.io", "v1beta1", "inferenceservices")
async def hub_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Every change of the four kinds, and all of them once at start."""
    memo.operator.saw(event["type"] == "DELETED", event["object"])
