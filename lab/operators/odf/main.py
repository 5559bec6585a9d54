# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's process: `kopf run -n NAMESPACE -m odf.main`. After every event, and once a minute, it looks at all.

Environment: RESYNC_SECONDS (60).
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from typing import Any

import aiohttp
import kopf
from strimzi.kube import Api, ApiError, object_path, path_of
from strimzi.store import Store
from strimzi.watching import watch_quietly
from strimzi.work import Failure, WorkQueue

from . import clusters, stores, users
from .rgw import AdminOps, Call, RgwError

ADMINISTRATOR = "rgw-admin-ops-user"
KINDS = ("CephObjectStore", "CephObjectStoreUser", "StorageCluster")
EVERYTHING = "everything"
RETRY_SECONDS = 5.0
TOLD = (ApiError, Failure, RgwError)
Body = dict[str, Any]
log = logging.getLogger(__name__)


class Operator:
    """What the handlers share."""

    def __init__(self) -> None:
        self.api, self.store = Api.in_cluster("rook-ceph-operator"), Store()
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        self.queue: WorkQueue[str] = WorkQueue(self.reconcile, workers=1)
        self.task = asyncio.create_task(self.queue.run())

    async def close(self) -> None:
        self.task.cancel()
        await self.session.close()
        await self.api.close()

    async def reconcile(self, _key: str) -> float:
        """Stores before their users and the clusters that wait for them."""
        for body in self.store.all("CephObjectStore"):
            await self._object_store(body)
        for body in self.store.all("CephObjectStoreUser"):
            await self._user(body)
        for body in self.store.all("StorageCluster"):
            await self._cluster(body)
        phases = {(body.get("status") or {}).get("phase") for kind in KINDS for body in self.store.all(kind)}
        return RETRY_SECONDS if phases - {"Ready"} else float(os.environ.get("RESYNC_SECONDS", "60"))

    async def _object_store(self, body: Body) -> None:
        """Ready means that the gateway answers to the administrator."""
        try:
            await (await self._gateway(body)).user(ADMINISTRATOR)
            status = stores.ready(body)
        except TOLD as error:
            status = stores.failed(body, error)
        await self.api.set_status(body, status)

    async def _user(self, body: Body) -> None:
        meta = body["metadata"]
        store = self.store.get("CephObjectStore", meta["namespace"], body["spec"].get("store", ""))
        try:
            if meta.get("deletionTimestamp"):
                await self._remove(body, store)
                return
            await self._finalizers(body, sorted({*(meta.get("finalizers") or []), users.FINALIZER}))
            await self._make(body, store)
            status = users.ready(body)
        except TOLD as error:
            status = users.failed(body, error)
        await self.api.set_status(body, status)

    async def _make(self, body: Body, store: Body | None) -> None:
        users.check(body)
        if store is None:
            raise Failure("ReconcileFailed", f"CephObjectStore {body['spec'].get('store')!r} could not be found")
        gateway, uid = await self._gateway(store), body["metadata"]["name"]
        for call in users.plan(body, await gateway.user(uid)):
            await gateway.change(call)
        user = await gateway.user(uid)
        await self.api.apply(users.secret(body, user or {}, stores.endpoint(store), stores.certificate(store)))

    async def _remove(self, body: Body, store: Body | None) -> None:
        """As Rook: without its store, a user is let go and stays in RGW."""
        uid = body["metadata"]["name"]
        try:
            gateway = await self._gateway(store) if store else None
        except Failure:
            gateway = None
        if gateway and await gateway.user(uid):
            if owned := await gateway.buckets(uid):
                raise Failure("Owner", f"the user stays while it owns buckets: {', '.join(owned)}")
            await gateway.change(Call("DELETE", {"uid": uid}))
        await self._finalizers(body, [f for f in body["metadata"].get("finalizers") or [] if f != users.FINALIZER])

    async def _finalizers(self, body: Body, wanted: list[str]) -> None:
        if sorted(wanted) != sorted(body["metadata"].get("finalizers") or []):
            await self.api.merge(object_path(body), {"metadata": {"finalizers": wanted}})
            body["metadata"]["finalizers"] = wanted

    async def _cluster(self, body: Body) -> None:
        if body["metadata"].get("deletionTimestamp"):
            return
        namespace = body["metadata"]["namespace"]
        try:
            clusters.check(body)
            details = await self._secret(namespace, clusters.DETAILS)
            made = clusters.parts(body, details.get(clusters.KEY))
            for part in made:
                await self.api.apply(part)
            status = clusters.status(body, [p["metadata"]["name"] for p in made if self._waits_for(p)])
        except TOLD as error:
            status = clusters.status(body, [], error)
        await self.api.set_status(body, status)

    def _waits_for(self, part: Body) -> bool:
        """A store that was just made has not been seen yet; its event comes."""
        meta = part["metadata"]
        seen = self.store.get(part["kind"], meta["namespace"], meta["name"]) or {}
        return part["kind"] == "CephObjectStore" and (seen.get("status") or {}).get("phase") != "Ready"

    async def _gateway(self, store: Body) -> AdminOps:
        """The store's gateway, asked with the keys that Rook uses for one that runs elsewhere."""
        namespace, url, name = store["metadata"]["namespace"], stores.endpoint(store), stores.certificate(store)
        keys = await self._secret(namespace, ADMINISTRATOR)
        if not {"accessKey", "secretKey"} <= set(keys):
            raise Failure("ReconcileFailed", f"Secret {ADMINISTRATOR} must hold accessKey and secretKey")
        trusted = await self._secret(namespace, name) if name else {}
        return AdminOps(
            self.session, url, (keys["accessKey"], keys["secretKey"]), trusted.get("cert") or trusted.get("tls.crt", "")
        )

    async def _secret(self, namespace: str, name: str) -> dict[str, str]:
        """A Secret's texts, none when there is no such Secret."""
        found = await self.api.get(path_of("v1", "secrets", namespace, name))
        return {k: base64.b64decode(v).decode() for k, v in ((found or {}).get("data") or {}).items()}

    def saw(self, deleted: bool, body: Body) -> None:
        """An event of one of the three kinds."""
        if deleted:
            self.store.drop(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
        elif not self.store.put(body):
            return
        self.queue.add(EVERYTHING)


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """The queue's task lives in kopf's loop."""
    watch_quietly(settings)
    memo.operator = Operator()
    log.warning("watching %s", ", ".join(KINDS))


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    await memo.operator.close()


@kopf.on.event("ceph.rook.io", "v1", "cephobjectstores")
@kopf.on.event("ceph.rook.io", "v1", "cephobjectstoreusers")
@kopf.on.event("ocs.openshift.io", "v1", "storageclusters")
async def odf_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Every change of the three kinds, and all of them once at start."""
    memo.operator.saw(event["type"] == "DELETED", event["object"])
