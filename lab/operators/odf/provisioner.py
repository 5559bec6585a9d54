# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes and removes the buckets of ObjectBucketClaims, as Rook and its lib-bucket-provisioner do."""

from __future__ import annotations

from typing import Any

from strimzi.kube import object_path, path_of
from strimzi.work import Failure

from . import claims, stores
from .access import Access
from .rgw import AdminOps, Call

Body = dict[str, Any]


class Provisioner:
    def __init__(self, access: Access) -> None:
        self._access, self._api = access, access.api
        self._done: dict[str, int] = {}  # generations by uid

    async def look(self, claim: Body) -> bool:
        """Whether the claim is bound now. It is worked on when its specification changes, and after a start."""
        meta = claim["metadata"]
        storage_class = await self._storage_class(claim)
        if storage_class is None:
            return False
        if meta.get("deletionTimestamp"):
            await self._remove(claim, storage_class)
            return False
        if self._done.get(meta["uid"]) != meta["generation"]:
            await self._provision(claim, storage_class)
            self._done[meta["uid"]] = claim["metadata"]["generation"]
        return True

    async def _storage_class(self, claim: Body) -> Body | None:
        """None when another provisioner makes the bucket."""
        name = claim["spec"].get("storageClassName", "")
        found = await self._api.get(path_of("storage.k8s.io/v1", "storageclasses", None, name)) if name else None
        mine = claims.provisioner(self._access.namespace)
        return found if found and found["provisioner"] == mine else None

    def _object_store(self, storage_class: Body) -> Body:
        parameters = storage_class["parameters"]
        return self._access.object_store(parameters["objectStoreName"], parameters["objectStoreNamespace"])

    async def _provision(self, claim: Body, storage_class: Body) -> None:
        namespace = self._access.namespace
        if not (claim.get("status") or {}).get("phase"):
            await self._api.set_status(claim, {"phase": "Pending"})
        claims.check(claim, storage_class, await self._setting())
        await self._write(claim, claims.patch(claim, namespace))
        store = self._object_store(storage_class)
        keys = await self._bucket(claim, store)
        for part in claims.parts(claim, keys, stores.endpoint(store), namespace):
            await self._api.apply(part)
        made = await self._api.apply(claims.object_bucket(claim, storage_class, stores.endpoint(store), namespace))
        await self._api.set_status(made, {"phase": "Bound"})
        await self._write(claim, {"spec": {"objectBucketName": claims.object_bucket_name(claim)}})
        await self._api.set_status(claim, {"phase": "Bound"})

    async def _setting(self) -> str | None:
        found = await self._api.get(path_of("v1", "configmaps", self._access.namespace, claims.SETTINGS))
        return ((found or {}).get("data") or {}).get(claims.SETTING)

    async def _write(self, claim: Body, patch: Body) -> None:
        """The claim as it is afterwards: its next event may come late."""
        status = claim.get("status")
        now = await self._api.merge(object_path(claim), patch)
        claim.update((now or {}) | ({"status": status} if status else {}))

    async def _bucket(self, claim: Body, store: Body) -> dict[str, str]:
        """The keys of its owner."""
        admin, owner, name = await self._access.admin(store), claims.owner(claim), claim["spec"]["bucketName"]
        config = claims.config(claim)
        if "bucketOwner" not in config and await admin.user(owner) is None:
            await admin.change(Call("PUT", {"uid": owner, "display-name": owner, "max-buckets": "1"}))
        gateway = await self._access.buckets(store, owner)
        if (found := await admin.bucket_owner(name)) is None:
            await gateway.create_bucket(name)
        elif found != owner:
            raise Failure("Unsupported", f"bucket {name} is {found}'s: this stand-in gives no bucket to another user")
        await gateway.settle(name, "policy", config.get("bucketPolicy"))
        await gateway.settle(name, "lifecycle", config.get("bucketLifecycle"))
        return ((await admin.user(owner)) or {})["keys"][0]

    async def _remove(self, claim: Body, storage_class: Body) -> None:
        path = path_of(claim["apiVersion"], "objectbuckets", None, claims.object_bucket_name(claim))
        if made := await self._api.get(path):
            await self._api.set_status(made, {"phase": "Released"})
            admin = await self._access.admin(self._object_store(storage_class))
            await admin.remove_bucket(made["spec"]["endpoint"]["bucketName"])
            await self._remove_user(admin, made["spec"]["additionalState"])
            await self._access.finalize(made, claims.FINALIZER, wanted=False)
            await self._api.delete(path)
        for plural in ("secrets", "configmaps"):
            meta = claim["metadata"]
            if part := await self._api.get(path_of("v1", plural, meta["namespace"], meta["name"])):
                kind = {"secrets": "Secret", "configmaps": "ConfigMap"}[plural]
                await self._access.finalize({"apiVersion": "v1", "kind": kind, **part}, claims.FINALIZER, wanted=False)
        await self._access.finalize(claim, claims.FINALIZER, wanted=False)

    async def _remove_user(self, admin: AdminOps, state: dict[str, str]) -> None:
        """Only one that was made for the bucket."""
        user = state["cephUser"]
        if "bucketOwner" not in state and await admin.user(user):
            await admin.change(Call("DELETE", {"uid": user}))
