# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports a ManagedCluster and lets it go again, as the vendor's import controller does. One cluster at a time."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import aiohttp
from strimzi.kube import Api, ApiError, object_path, path_of
from strimzi.work import Failure

from . import hub, imports
from .spoke import Spoke, spoke_of

CLUSTERS, WORKS = "cluster.open-cluster-management.io/v1", "work.open-cluster-management.io/v1"
CERTIFICATES, ADDONS = "certificates.k8s.io/v1", "addon.open-cluster-management.io/v1alpha1"
OPERATORS = "operator.open-cluster-management.io/v1"
TROUBLE = (ApiError, Failure, aiohttp.ClientError, asyncio.TimeoutError, OSError)
Body = dict[str, Any]
log = logging.getLogger(__name__)


class HubApi(Api):
    """Three calls more than the other stand-ins need."""

    async def token(self, namespace: str, account: str, seconds: int) -> Body:
        """The status of a TokenRequest: token and expirationTimestamp."""
        path = path_of("v1", "serviceaccounts", namespace, account) + "/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        return (await self._send("POST", path, request))["status"]

    async def approve(self, request: Body) -> None:
        await self._send("PUT", object_path(request) + "/approval", imports.approved(request))

    async def all(self, api_version: str, plural: str, namespace: str | None = None) -> list[Body]:
        """A list with apiVersion and kind in its items; empty where the kind is not served."""
        found = await self.get(path_of(api_version, plural, namespace)) or {"items": [], "kind": "List"}
        kind = found["kind"].removesuffix("List")
        return [{"apiVersion": api_version, "kind": kind, **item} for item in found["items"]]


class Importer:
    """`server` and `authority` are the hub's API as agents reach it."""

    def __init__(self, api: HubApi, image: str, server: str, authority: str) -> None:
        self.api, self.image, self.server, self.authority = api, image, server, authority

    async def approve_all(self, clusters: dict[str, Body]) -> None:
        for request in await self.api.all(CERTIFICATES, "certificatesigningrequests"):
            if imports.to_approve(request, clusters):
                await self.api.approve(request)
                log.warning("approved %s", request["metadata"]["name"])

    async def tend(self, cluster: Body) -> None:
        """Everything but the end of a cluster."""
        name = cluster["metadata"]["name"]
        await self._finalizers(cluster, [*self._others(cluster), imports.FINALIZER])
        if await self.api.get(path_of("v1", "namespaces", name=name)) is None:
            return  # its owner or the hub makes it
        secret = await self._import_secret(name)
        if not self._wants_import(cluster):
            await self._joined(cluster)
        elif name == hub.LOCAL:
            await self._import(cluster, secret, None)
        else:
            await self._auto_import(cluster, secret)

    def _wants_import(self, cluster: Body) -> bool:
        """Not of one that is in touch, unless somebody asks for it."""
        annotations = cluster["metadata"].get("annotations") or {}
        return annotations.get(imports.IMMEDIATE) == "" or not (hub.joined(cluster) and hub.available(cluster))

    async def _import_secret(self, name: str) -> Body:
        path = path_of("v1", "secrets", name, f"{name}-import")
        found = await self.api.get(path)
        if found and not imports.is_stale(found, self.image):
            return found
        for body in imports.bootstrap(name):
            await self.api.apply(body)
        token = await self.api.token(name, imports.bootstrap_account(name), imports.TOKEN_SECONDS)
        config = imports.kubeconfig(self.server, self.authority, token["token"])
        return await self.api.apply(imports.import_secret(name, self.image, config, token["expirationTimestamp"]))

    async def _auto_import(self, cluster: Body, import_secret: Body) -> None:
        """With auto-import-secret, as often as it allows; without, somebody else applies <name>-import."""
        name = cluster["metadata"]["name"]
        secret = await self.api.get(path_of("v1", "secrets", name, imports.AUTO_IMPORT))
        if imports.DISABLED in (cluster["metadata"].get("annotations") or {}):
            await self._tell(cluster, "False", "ManagedClusterWaitForImporting", "Auto import is disabled")
        elif secret is None:
            if not self._told_of(cluster):
                await self._tell(cluster, "False", "ManagedClusterWaitForImporting", "Wait for importing")
        else:
            await self._import(cluster, import_secret, secret)

    def _told_of(self, cluster: Body) -> bool:
        conditions = (cluster.get("status") or {}).get("conditions") or []
        return any(c["type"] == "ManagedClusterImportSucceeded" for c in conditions)

    async def _import(self, cluster: Body, import_secret: Body, secret: Body | None) -> None:
        spoke: Spoke | None = None
        try:
            if secret:
                spoke = spoke_of(imports.decoded(secret))
            crds, rest = imports.objects_of(import_secret)
            for body in [*crds, *rest]:
                await (spoke or self.api).apply(body)
        except TROUBLE as error:
            await self._failed(cluster, secret, error)
        else:
            words = "Import resources are applied, wait for resources be available"
            await self._tell(cluster, "False", "ManagedClusterImporting", words)
            await self._done_once(cluster)
            if secret and imports.KEEPING not in (secret["metadata"].get("annotations") or {}):
                await self._drop(secret)
        finally:
            if spoke:
                await spoke.close()

    async def _done_once(self, cluster: Body) -> None:
        if (cluster["metadata"].get("annotations") or {}).get(imports.IMMEDIATE) == "":
            patch = {"metadata": {"annotations": {imports.IMMEDIATE: "Completed"}}}
            await self.api.merge(object_path(cluster), patch)

    async def _failed(self, cluster: Body, secret: Body | None, error: BaseException) -> None:
        """A try less; after the last one the secret goes."""
        words = f"{error}" or type(error).__name__
        if secret is None:
            await self._tell(cluster, "False", "ManagedClusterImportFailed", words)
            return
        done, allowed = imports.retries(secret)
        kept = imports.KEEPING in (secret["metadata"].get("annotations") or {})
        words = f"Try to import managed cluster with auto-import-secret, retry {done} of {allowed}: {words}"
        await self._tell(cluster, "False", "ManagedClusterImportFailed", words)
        if done >= allowed and not kept:
            await self._drop(secret)
        elif done < allowed:
            await self.api.merge(self._path(secret), {"metadata": {"annotations": {imports.RETRIED: str(done + 1)}}})

    def _path(self, secret: Body) -> str:
        return path_of("v1", "secrets", secret["metadata"]["namespace"], secret["metadata"]["name"])

    async def _drop(self, secret: Body) -> None:
        await self.api.delete(self._path(secret))

    async def _joined(self, cluster: Body) -> None:
        name = cluster["metadata"]["name"]
        await self._tell(cluster, "True", "ManagedClusterImported", "Import succeeded")
        if name != hub.LOCAL:
            await self.api.apply(imports.klusterlet_work(name, self.image))

    async def _tell(self, cluster: Body, status: str, reason: str, message: str) -> None:
        """OCM writes the same list: of two that read the same state only one gets through."""
        new = imports.told(cluster, status, reason, message[:1024])
        if new["conditions"] != (cluster.get("status") or {}).get("conditions"):
            version = {"resourceVersion": cluster["metadata"]["resourceVersion"]}
            patch = {"metadata": version, "status": {"conditions": new["conditions"]}}
            changed = await self.api.merge(object_path(cluster) + "/status", patch)
            cluster.update(status=new, metadata=(changed or cluster)["metadata"])

    def _others(self, cluster: Body) -> list[str]:
        return [f for f in cluster["metadata"].get("finalizers") or [] if f != imports.FINALIZER]

    async def _finalizers(self, cluster: Body, wanted: list[str]) -> None:
        if sorted(wanted) != sorted(cluster["metadata"].get("finalizers") or []):
            version = cluster["metadata"]["resourceVersion"]
            patch = {"metadata": {"finalizers": wanted, "resourceVersion": version}}
            changed = await self.api.merge(object_path(cluster), patch)
            cluster["metadata"] = (changed or cluster)["metadata"]
