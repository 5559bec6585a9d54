# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the topics of CephBucketTopics, and the notifications that the labels of bound claims ask for."""

from __future__ import annotations

from typing import Any

from strimzi.kube import path_of
from strimzi.work import Failure

from . import claims, topics
from .access import Access
from .documents import Notification
from .s3 import S3

Body = dict[str, Any]


class Announcer:
    def __init__(self, access: Access) -> None:
        self._access, self._api, self._store = access, access.api, access.store
        # Topics that changed: in RGW 16 a notification holds a copy of its topic, so it has to be put again.
        self._changed: set[str] = set()

    async def topic(self, body: Body) -> None:
        spec, meta = body["spec"], body["metadata"]
        await self._access.finalize(body, topics.FINALIZER, wanted=True)
        login, secrets = await self._login(body)
        if topics.is_done(body, secrets):
            return
        attributes = topics.attributes(body, login)
        store = self._access.object_store(spec["objectStoreName"], spec["objectStoreNamespace"])
        arn = await (await self._access.topics(store)).create_topic(meta["name"], attributes)
        self._changed.add(arn)
        await self._api.set_status(body, topics.ready(body, arn, secrets))

    async def _login(self, body: Body) -> tuple[dict[str, str], list[Body]]:
        """User and password, and which Secrets they are from."""
        namespace, login, secrets = body["metadata"]["namespace"], {}, {}
        for field, reference in topics.references(body).items():
            texts = await self._access.secret(namespace, reference["name"])
            if reference["key"] not in texts:
                raise Failure("ReconcileFailed", f"failed to find key {reference['key']} in Secret {reference['name']}")
            login[field] = texts[reference["key"]]
            found = await self._api.get(path_of("v1", "secrets", namespace, reference["name"]))
            secrets[reference["name"]] = (found or {})["metadata"]
        known = ("name", "namespace", "resourceVersion", "uid")
        return login, [{key: secrets[name][key] for key in known} for name in sorted(secrets)]

    async def remove(self, body: Body) -> None:
        """As Rook: without its store, a topic is let go and stays in RGW."""
        spec, arn = body["spec"], (body.get("status") or {}).get("ARN")
        store = self._store.get("CephObjectStore", spec["objectStoreNamespace"], spec["objectStoreName"])
        if arn and store:
            await (await self._access.topics(store)).delete_topic(arn)
        await self._access.finalize(body, topics.FINALIZER, wanted=False)

    async def labels(self, claim: Body) -> None:
        """The bucket has the notifications that the labels of its bound claim ask for, and no others."""
        made = await self._api.get(
            path_of(claim["apiVersion"], "objectbuckets", None, claims.object_bucket_name(claim))
        )
        state, bucket = (made or {})["spec"]["additionalState"], claim["spec"]["bucketName"]
        store = self._access.object_store(state["objectStoreName"], state["objectStoreNamespace"])
        gateway = await self._access.buckets(store, state["cephUser"])
        asked = topics.asked_for(claim)
        found = await gateway.notifications(bucket)
        for name in sorted({n.name for n in found} - set(asked)):
            await gateway.delete_notification(bucket, name)
        for name in asked:
            await self._put(gateway, bucket, found, self._wanted(claim["metadata"]["namespace"], name))
        await self._api.set_status(claim, {"phase": "Bound"})

    def _wanted(self, namespace: str, name: str) -> Notification:
        body = self._store.get("CephBucketNotification", namespace, name)
        if body is None:
            raise Failure("ReconcileFailed", f"CephBucketNotification {name!r} not provisioned yet")
        topic = self._store.get("CephBucketTopic", namespace, body["spec"]["topic"])
        arn = ((topic or {}).get("status") or {}).get("ARN")
        if not arn:
            raise Failure("ReconcileFailed", f"no ARN in topic {body['spec']['topic']!r}: not provisioned yet")
        return topics.notification(body, arn)

    async def _put(self, gateway: S3, bucket: str, found: list[Notification], wanted: Notification) -> None:
        same = [notification for notification in found if notification.name == wanted.name]
        if same == [wanted] and wanted.topic not in self._changed:
            return
        if same and same != [wanted]:
            for _ in same:
                await gateway.delete_notification(bucket, wanted.name)
        await gateway.put_notification(bucket, wanted)

    def told(self) -> None:
        """After all claims were looked at without an error."""
        self._changed.clear()
