# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's process: `kopf run -A -m acm.main`. After every event it looks at the hub and at each cluster.

Environment: OCM_IMAGE (OCM's programs), HUB_SERVER (the API as agents reach it), RESYNC_SECONDS (60).
"""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Any

import aiohttp
import kopf
from strimzi.kube import SERVICE_ACCOUNT, ApiError, object_path, path_of
from strimzi.watching import watch_quietly
from strimzi.work import Failure, WorkQueue

from . import hub, imports, manifests
from .detach import Detacher, remove_hub
from .importer import CLUSTERS, OPERATORS, HubApi, Importer

HUBS = "operator.open-cluster-management.io/v1"
EVERYTHING = "everything"
SOON = 1.5
TOLD = (ApiError, Failure, aiohttp.ClientError, asyncio.TimeoutError)
Body = dict[str, Any]
log = logging.getLogger(__name__)


class Operator:
    """What the handlers share. A key of the queue is a cluster's name, or everything."""

    def __init__(self) -> None:
        self.api, self.image = HubApi.in_cluster("multiclusterhub-operator"), os.environ["OCM_IMAGE"]
        authority = (SERVICE_ACCOUNT / "ca.crt").read_text()
        self.importer = Importer(self.api, self.image, os.environ["HUB_SERVER"], authority)
        self.detacher = Detacher(self.importer)
        self.queue: WorkQueue[str] = WorkQueue(self.reconcile, workers=4)
        self.task = asyncio.create_task(self.queue.run())
        self.resync = float(os.environ.get("RESYNC_SECONDS", "60"))
        self.queue.add(EVERYTHING)

    async def close(self) -> None:
        self.task.cancel()
        await self.api.close()

    async def reconcile(self, key: str) -> float | None:
        return await (self._everything() if key == EVERYTHING else self._cluster(key))

    async def _everything(self) -> float:
        """The hubs (there is one), then the clusters' first certificates, then the clusters."""
        settled = [await self._hub(body) for body in await self.api.all(HUBS, "multiclusterhubs")]
        clusters = {c["metadata"]["name"]: c for c in await self.api.all(CLUSTERS, "managedclusters")}
        await self.importer.approve_all(clusters)
        for name in clusters:
            self.queue.add(name)
        return self.resync if all(settled) else SOON

    async def _hub(self, body: Body) -> bool:
        try:
            missing = await (
                self._uninstall(body) if body["metadata"].get("deletionTimestamp") else self._install(body)
            )
        except TOLD as error:
            await self.api.set_status(body, hub.status(body, "", error))
            return False
        if missing is None:
            return True
        await self.api.set_status(body, hub.status(body, missing))
        return not missing

    async def _install(self, body: Body) -> str:
        """What the hub still lacks."""
        if hub.FINALIZER not in (body["metadata"].get("finalizers") or []):
            patch = {"metadata": {"finalizers": [*(body["metadata"].get("finalizers") or []), hub.FINALIZER]}}
            await self.api.merge(object_path(body), patch)
        for part in [*manifests.hub_operator(self.image), manifests.cluster_manager(self.image)]:
            await self.api.apply(part)
        missing = hub.works(await self.api.get(path_of(OPERATORS, "clustermanagers", name="cluster-manager")))
        return missing or (await self._manage_itself() if hub.self_managed(body) else "")

    async def _manage_itself(self) -> str:
        try:
            if await self.api.get(path_of(CLUSTERS, "managedclusters", name=hub.LOCAL)) is None:
                await self.api.create(hub.local_cluster())
                self.queue.add(hub.LOCAL, SOON)
            elif await self.api.get(path_of("v1", "namespaces", name=hub.LOCAL)):
                await self.api.create(hub.addon_config())
        except ApiError as error:  # its webhook answers a little later
            return str(error)
        return ""

    async def _uninstall(self, body: Body) -> str | None:
        """What stands in the way, or None when the hub is let go."""
        clusters = [c["metadata"]["name"] for c in await self.api.all(CLUSTERS, "managedclusters")]
        if others := sorted(set(clusters) - {hub.LOCAL}):
            return f"Cannot delete MultiClusterHub resource because ManagedClusters exist: {', '.join(others)}"
        if clusters:
            await self.api.delete(path_of(CLUSTERS, "managedclusters", name=hub.LOCAL))
            return "waits for ManagedCluster local-cluster to be detached"
        if left := await remove_hub(self.api, self.image):
            return f"waits for the end of {left}"
        finalizers = [f for f in body["metadata"].get("finalizers") or [] if f != hub.FINALIZER]
        await self.api.merge(object_path(body), {"metadata": {"finalizers": finalizers}})
        return None

    async def _cluster(self, name: str) -> float | None:
        cluster = await self.api.get(path_of(CLUSTERS, "managedclusters", name=name))
        if cluster is None:
            return None
        if cluster["metadata"].get("deletionTimestamp"):
            if imports.FINALIZER not in (cluster["metadata"].get("finalizers") or []):
                return None
            left = await self.detacher.step(cluster)
            log.warning("detaching %s: waits for %s", name, left or "nothing more")
            return SOON if left else None
        await self.importer.tend(cluster)
        return None if hub.joined(cluster) and hub.available(cluster) else 2 * SOON


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """The queue's task lives in kopf's loop."""
    watch_quietly(settings)
    # ManagedClusters are served only once the hub is made; kopf would say so at every change of a CRD.
    logging.getLogger("kopf._core.reactor.observation").setLevel(logging.ERROR)
    memo.operator = Operator()
    log.warning("watching MultiClusterHubs and ManagedClusters")


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    await memo.operator.close()


@kopf.on.event("operator.open-cluster-management.io", "v1", "multiclusterhubs")
@kopf.on.event("certificates.k8s.io", "v1", "certificatesigningrequests")
async def hub_event(memo: kopf.Memo, **_: Any) -> None:
    memo.operator.queue.add(EVERYTHING)


@kopf.on.event("cluster.open-cluster-management.io", "v1", "managedclusters")
async def cluster_event(name: str, memo: kopf.Memo, **_: Any) -> None:
    """Every change of one, and all of them once at start."""
    memo.operator.queue.add(name)
