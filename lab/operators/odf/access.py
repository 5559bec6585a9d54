# SPDX-License-Identifier: GPL-3.0-or-later
"""How the parts of the operator reach Kubernetes and the gateways."""

from __future__ import annotations

import base64
from typing import Any

import aiohttp
from strimzi.kube import Api, object_path, path_of
from strimzi.store import Store
from strimzi.work import Failure

from . import stores
from .rgw import AdminOps
from .s3 import S3

ADMINISTRATOR = "rgw-admin-ops-user"
Body = dict[str, Any]


class Access:
    """`namespace` is the operator's own, where the object stores are; `store` has what was seen of its kinds."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.api, self.store = Api.in_cluster("rook-ceph-operator"), Store()
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))

    async def close(self) -> None:
        await self._session.close()
        await self.api.close()

    def object_store(self, name: str, namespace: str | None = None) -> Body:
        found = self.store.get("CephObjectStore", namespace or self.namespace, name)
        if found is None:
            raise Failure("ReconcileFailed", f"CephObjectStore {name!r} could not be found")
        return found

    async def admin(self, store: Body) -> AdminOps:
        """The store's gateway, asked with the keys that Rook uses for one that runs elsewhere."""
        return AdminOps(self._session, stores.endpoint(store), await self._administrator(), await self._trusted(store))

    async def topics(self, store: Body) -> S3:
        """Topics are the administrator's, as Rook's are."""
        return S3(self._session, stores.endpoint(store), await self._administrator(), await self._trusted(store))

    async def buckets(self, store: Body, owner: str) -> S3:
        """The gateway, asked in the name of a user that must be there."""
        user = await (await self.admin(store)).user(owner)
        if user is None:
            raise Failure("ReconcileFailed", f"Ceph object user {owner!r} not found")
        keys = user["keys"][0]
        login = (keys["access_key"], keys["secret_key"])
        return S3(self._session, stores.endpoint(store), login, await self._trusted(store))

    async def _administrator(self) -> tuple[str, str]:
        keys = await self.secret(self.namespace, ADMINISTRATOR)
        if not {"accessKey", "secretKey"} <= set(keys):
            raise Failure("ReconcileFailed", f"Secret {ADMINISTRATOR} must hold accessKey and secretKey")
        return keys["accessKey"], keys["secretKey"]

    async def _trusted(self, store: Body) -> str:
        name = stores.certificate(store)
        trusted = await self.secret(self.namespace, name) if name else {}
        return trusted.get("cert") or trusted.get("tls.crt", "")

    async def secret(self, namespace: str, name: str) -> dict[str, str]:
        """A Secret's texts, none when there is no such Secret."""
        found = await self.api.get(path_of("v1", "secrets", namespace, name))
        return {k: base64.b64decode(v).decode() for k, v in ((found or {}).get("data") or {}).items()}

    async def finalize(self, body: Body, finalizer: str, wanted: bool) -> None:
        """The object waits with its removal for us, or no longer."""
        meta = body["metadata"]
        others = {*(meta.get("finalizers") or [])} - {finalizer}
        finalizers = sorted(others | ({finalizer} if wanted else set()))
        if finalizers != sorted(meta.get("finalizers") or []):
            await self.api.merge(object_path(body), {"metadata": {"finalizers": finalizers}})
            meta["finalizers"] = finalizers
