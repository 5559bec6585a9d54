# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's process: `kopf run --all-namespaces -m odf.main`. It looks at all after each event and once a minute.

Storage and users count in the operator's own namespace only; claims, topics and notifications in all.

Environment: POD_NAMESPACE, RESYNC_SECONDS (60).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

import kopf
from strimzi.kube import ApiError
from strimzi.watching import watch_quietly
from strimzi.work import Failure, WorkQueue

from . import claims, clusters, stores, topics, users
from .access import ADMINISTRATOR, Access
from .announcer import Announcer
from .provisioner import Provisioner
from .rgw import Call, RgwError

OWN = ("CephObjectStore", "CephObjectStoreUser", "StorageCluster")
ALL = (*OWN, "CephBucketTopic", "CephBucketNotification", "ObjectBucketClaim")
EVERYTHING = "everything"
RETRY_SECONDS = 5.0
TOLD = (ApiError, Failure, RgwError)
Body = dict[str, Any]
log = logging.getLogger(__name__)


class Operator:
    """What the handlers share."""

    def __init__(self) -> None:
        self.access = Access(os.environ["POD_NAMESPACE"])
        self.api, self.store = self.access.api, self.access.store
        self.provisioner, self.announcer = Provisioner(self.access), Announcer(self.access)
        self.queue: WorkQueue[str] = WorkQueue(self.reconcile, workers=1)
        self.task = asyncio.create_task(self.queue.run())
        self.failures = 0

    async def close(self) -> None:
        self.task.cancel()
        await self.access.close()

    async def reconcile(self, _key: str) -> float:
        """Stores before their users, users before the buckets that they own, topics before what announces on them."""
        self.failures = 0
        for kind, look in (
            ("CephObjectStore", self._object_store),
            ("CephObjectStoreUser", self._user),
            ("CephBucketTopic", self._topic),
            ("ObjectBucketClaim", self._claim),
            ("CephBucketTopic", self._topic_that_goes),
            ("StorageCluster", self._cluster),
        ):
            for body in self.store.all(kind):
                await look(body)
        phases = {(body.get("status") or {}).get("phase") for kind in OWN for body in self.store.all(kind)}
        if self.failures or phases - {"Ready"}:
            return RETRY_SECONDS
        self.announcer.told()
        return float(os.environ.get("RESYNC_SECONDS", "60"))

    async def _try(self, body: Body, work: Awaitable[None], failed: Callable[[Body, Exception], Body]) -> None:
        """Rook has the cause in its log; here it is in the status, too."""
        try:
            await work
        except TOLD as error:
            self.failures += 1
            meta = body["metadata"]
            log.warning("%s %s/%s: %s", body["kind"], meta["namespace"], meta["name"], error)
            await self.api.set_status(body, failed(body, error))

    async def _claim(self, body: Body) -> None:
        async def work() -> None:
            if await self.provisioner.look(body):
                await self.announcer.labels(body)

        await self._try(body, work(), claims.failed)

    async def _topic(self, body: Body) -> None:
        if not body["metadata"].get("deletionTimestamp"):
            await self._try(body, self.announcer.topic(body), topics.failed)

    async def _topic_that_goes(self, body: Body) -> None:
        """After the notifications that use it."""
        if body["metadata"].get("deletionTimestamp"):
            await self._try(body, self.announcer.remove(body), topics.failed)

    async def _object_store(self, body: Body) -> None:
        """Ready means that the gateway answers to the administrator."""
        try:
            await (await self.access.admin(body)).user(ADMINISTRATOR)
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
            await self.access.finalize(body, users.FINALIZER, wanted=True)
            await self._make(body)
            status = users.ready(body)
        except TOLD as error:
            status = users.failed(body, error)
        await self.api.set_status(body, status)

    async def _make(self, body: Body) -> None:
        users.check(body)
        store = self.access.object_store(body["spec"].get("store", ""))
        gateway, uid = await self.access.admin(store), body["metadata"]["name"]
        for call in users.plan(body, await gateway.user(uid)):
            await gateway.change(call)
        user = await gateway.user(uid)
        await self.api.apply(users.secret(body, user or {}, stores.endpoint(store), stores.certificate(store)))

    async def _remove(self, body: Body, store: Body | None) -> None:
        """As Rook: without its store, a user is let go and stays in RGW."""
        uid = body["metadata"]["name"]
        try:
            gateway = await self.access.admin(store) if store else None
        except Failure:
            gateway = None
        if gateway and await gateway.user(uid):
            if owned := await gateway.buckets(uid):
                raise Failure("Owner", f"the user stays while it owns buckets: {', '.join(owned)}")
            await gateway.change(Call("DELETE", {"uid": uid}))
        await self.access.finalize(body, users.FINALIZER, wanted=False)

    async def _cluster(self, body: Body) -> None:
        if body["metadata"].get("deletionTimestamp"):
            return
        try:
            clusters.check(body)
            details = await self.access.secret(body["metadata"]["namespace"], clusters.DETAILS)
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

    def saw(self, deleted: bool, body: Body) -> None:
        """An event of one of the kinds."""
        meta = body["metadata"]
        if body["kind"] in OWN and meta["namespace"] != self.access.namespace:
            return
        if deleted:
            self.store.drop(body["kind"], meta["namespace"], meta["name"])
        elif not self.store.put(body):
            return
        self.queue.add(EVERYTHING)


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """The queue's task lives in kopf's loop."""
    watch_quietly(settings)
    memo.operator = Operator()
    log.warning("watching %s", ", ".join(ALL))


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    await memo.operator.close()


@kopf.on.event("ceph.rook.io", "v1", "cephobjectstores")
@kopf.on.event("ceph.rook.io", "v1", "cephobjectstoreusers")
@kopf.on.event("ceph.rook.io", "v1", "cephbuckettopics")
@kopf.on.event("ceph.rook.io", "v1", "cephbucketnotifications")
@kopf.on.event("objectbucket.io", "v1alpha1", "objectbucketclaims")
@kopf.on.event("ocs.openshift.io", "v1", "storageclusters")
async def odf_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Every change of these kinds, and all of them once at start."""
    memo.operator.saw(event["type"] == "DELETED", event["object"])
