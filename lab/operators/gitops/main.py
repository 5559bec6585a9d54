# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's process: `kopf run -A -m gitops.main`. After every event, and once a minute, it looks at every ArgoCD.

Environment: ARGOCD_IMAGE, DISABLE_DEFAULT_ARGOCD_INSTANCE (the vendor's), RESYNC_SECONDS (60).
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import kopf
from strimzi.kube import Api, object_path, path_of
from strimzi.store import Store
from strimzi.watching import watch_quietly
from strimzi.work import WorkQueue

from . import parts, status

GROUP, VERSION, NAMESPACE, DEFAULT = "argoproj.io", "v1beta1", "openshift-gitops", "openshift-gitops"
SERVICE_API = "pipelines.openshift.io/v1alpha1"
EVERYTHING = "everything"
RETRY_SECONDS = 2.0
Body = dict[str, Any]
log = logging.getLogger(__name__)


class Operator:
    """What the handlers share."""

    def __init__(self) -> None:
        self.api, self.store = Api.in_cluster("openshift-gitops-operator"), Store()
        self.image, self.started = os.environ["ARGOCD_IMAGE"], False
        self.queue: WorkQueue[str] = WorkQueue(self.reconcile, workers=1)
        self.task = asyncio.create_task(self.queue.run())
        self.queue.add(EVERYTHING)

    async def reconcile(self, _key: str) -> float:
        await self._default_instance()
        phases = [await self._instance(body) for body in self.store.all("ArgoCD")]
        return RETRY_SECONDS if set(phases) - {"Available"} else float(os.environ.get("RESYNC_SECONDS", "60"))

    async def _default_instance(self) -> None:
        """As the vendor: at its start the operator asks for a GitopsService, to which the default instance belongs."""
        if os.environ.get("DISABLE_DEFAULT_ARGOCD_INSTANCE", "").lower() == "true":
            return
        service = {"apiVersion": SERVICE_API, "kind": "GitopsService", "metadata": {"name": "cluster"}}
        if not self.started:
            await self.api.create(service)
            self.started = True
        found = await self.api.get(object_path(service))
        if found is None or found["metadata"].get("deletionTimestamp"):
            return
        if await self.api.get(path_of("v1", "namespaces", None, NAMESPACE)) is None:
            await self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        if self.store.get("ArgoCD", NAMESPACE, DEFAULT) is None:
            owner = {**service, "name": "cluster", "uid": found["metadata"]["uid"]}
            del owner["metadata"]
            meta = {"name": DEFAULT, "namespace": NAMESPACE, "ownerReferences": [owner]}
            await self.api.create({"apiVersion": f"{GROUP}/{VERSION}", "kind": "ArgoCD", "metadata": meta, "spec": {}})

    async def _instance(self, body: Body) -> str:
        """The phase of one ArgoCD, after all of it was looked at."""
        meta = body["metadata"]
        if meta.get("deletionTimestamp"):
            return "Available"
        for part in parts.made_once(body):
            if await self.api.get(object_path(part)) is None:
                await self.api.create(part)
        applied = [await self.api.apply(part) for part in parts.of(body, self.image)]
        by_name = {(part["kind"], part["metadata"]["name"]): part for part in applied}
        workloads = {c: by_name.get((kind, f"{meta['name']}-{name}")) for c, (kind, name) in parts.WORKLOADS.items()}
        await self.api.set_status(body, status.of(workloads))
        return body["status"]["phase"]

    def saw(self, deleted: bool, body: Body) -> None:
        """An event of an ArgoCD."""
        if deleted:
            self.store.drop("ArgoCD", body["metadata"]["namespace"], body["metadata"]["name"])
        elif not self.store.put(body):
            return
        self.queue.add(EVERYTHING)


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """The queue's task lives in kopf's loop."""
    watch_quietly(settings)
    memo.operator = Operator()
    log.warning("watching ArgoCDs in all namespaces")


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    memo.operator.task.cancel()
    await memo.operator.api.close()


@kopf.on.event(GROUP, VERSION, "argocds")
async def argocd_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Every change of one, and all of them once at start."""
    memo.operator.saw(event["type"] == "DELETED", event["object"])


@kopf.on.event("apps", "v1", "deployments", labels=parts.PART_OF)
@kopf.on.event("apps", "v1", "statefulsets", labels=parts.PART_OF)
async def workload_event(memo: kopf.Memo, **_: Any) -> None:
    """A component of Argo CD changed."""
    memo.operator.queue.add(EVERYTHING, delay=0.5)
