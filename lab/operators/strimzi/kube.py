# SPDX-License-Identifier: GPL-3.0-or-later
"""The Kubernetes API from an operator's pod: get, apply, create, status, delete. Knows no kind's meaning."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import aiohttp

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
PLURALS = {
    "AppProject": "appprojects",
    "ArgoCD": "argocds",
    "CephBucketNotification": "cephbucketnotifications",
    "CephBucketTopic": "cephbuckettopics",
    "CephObjectStore": "cephobjectstores",
    "CephObjectStoreUser": "cephobjectstoreusers",
    "ConfigMap": "configmaps",
    "Deployment": "deployments",
    "GitopsService": "gitopsservices",
    "Grafana": "grafanas",
    "GrafanaDashboard": "grafanadashboards",
    "GrafanaDatasource": "grafanadatasources",
    "Kafka": "kafkas",
    "KafkaNodePool": "kafkanodepools",
    "KafkaSink": "kafkasinks",
    "KafkaSource": "kafkasources",
    "KafkaTopic": "kafkatopics",
    "KafkaUser": "kafkausers",
    "KnativeKafka": "knativekafkas",
    "Namespace": "namespaces",
    "Node": "nodes",
    "ObjectBucket": "objectbuckets",
    "ObjectBucketClaim": "objectbucketclaims",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "Pod": "pods",
    "QuayRegistry": "quayregistries",
    "Role": "roles",
    "RoleBinding": "rolebindings",
    "Secret": "secrets",
    "Service": "services",
    "ServiceAccount": "serviceaccounts",
    "StatefulSet": "statefulsets",
    "StorageCluster": "storageclusters",
}
MERGE_PATCH, APPLY_PATCH = "application/merge-patch+json", "application/apply-patch+yaml"


class ApiError(Exception):
    """An answer other than 2xx: what was asked, the status code and the server's message."""

    def __init__(self, what: str, code: int, message: str) -> None:
        super().__init__(f"{what}: {code} {message}")
        self.code = code


def path_of(api_version: str, plural: str, namespace: str | None = None, name: str | None = None) -> str:
    """The URL path of an object or, without a name, of a list; core kinds live under /api, all others under /apis."""
    path = f"/{'apis' if '/' in api_version else 'api'}/{api_version}"
    path += f"/namespaces/{namespace}" if namespace else ""
    return f"{path}/{plural}" + (f"/{name}" if name else "")


def object_path(body: dict[str, Any]) -> str:
    """The URL path of a manifest."""
    meta = body["metadata"]
    return path_of(body["apiVersion"], PLURALS[body["kind"]], meta.get("namespace"), meta["name"])


def status_patch(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any] | None:
    """The merge patch that turns status `old` into `new`; None when nothing differs."""
    if old == new:
        return None
    return {"status": {**{key: None for key in old if key not in new}, **new}}


class Api:
    """A client for one API server with a service account's token (read again for each request: it rotates)."""

    def __init__(self, server: str, token_file: Path, ca_file: Path, manager: str) -> None:
        self._server, self._token_file, self._manager = server.rstrip("/"), token_file, manager
        self._ssl = ssl.create_default_context(cafile=str(ca_file))
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def in_cluster(cls, manager: str) -> Api:
        """A client for the cluster this pod runs in; `manager` names it as a field manager."""
        return cls("https://kubernetes.default.svc", SERVICE_ACCOUNT / "token", SERVICE_ACCOUNT / "ca.crt", manager)

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def _send(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **params: str
    ) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30))
        headers = {"Authorization": f"Bearer {self._token_file.read_text()}", "Content-Type": kind}
        data = None if body is None else json.dumps(body)
        async with self._session.request(
            method, self._server + path, data=data, headers=headers, params=params, ssl=self._ssl
        ) as answer:
            text = await answer.text()
            if answer.status >= 300:
                raise ApiError(f"{method} {path}", answer.status, _message(text))
            return json.loads(text)

    async def get(self, path: str) -> dict[str, Any] | None:
        """The object, or None when there is none."""
        try:
            return await self._send("GET", path)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def list(self, path: str, selector: str = "") -> list[dict[str, Any]]:
        """The items of a list, cut down by a label selector."""
        return (await self._send("GET", path, **({"labelSelector": selector} if selector else {})))["items"]

    async def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Server-side apply with our field manager."""
        return await self._send("PATCH", object_path(body), body, APPLY_PATCH, fieldManager=self._manager, force="true")

    async def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Creates the object; when another was faster, answers that one."""
        path = object_path(body)
        try:
            return await self._send("POST", path.rsplit("/", 1)[0], body, fieldManager=self._manager)
        except ApiError as error:
            if error.code != 409:
                raise
            return await self._send("GET", path)

    async def merge(self, path: str, patch: dict[str, Any]) -> dict[str, Any] | None:
        """A merge patch; None when the object has gone meanwhile."""
        try:
            return await self._send("PATCH", path, patch, MERGE_PATCH)
        except ApiError as error:
            if error.code == 404:
                return None
            raise

    async def set_status(self, body: dict[str, Any], status: dict[str, Any]) -> None:
        """Writes `status` when it differs from what `body` has, and into `body` too: its next event may come late."""
        patch = status_patch(body.get("status") or {}, status)
        if patch:
            await self.merge(object_path(body) + "/status", patch)
            body["status"] = status

    async def delete(self, path: str) -> None:
        """Deletes the object if it is there."""
        try:
            await self._send("DELETE", path)
        except ApiError as error:
            if error.code != 404:
                raise


def _message(text: str) -> str:
    try:
        return json.loads(text).get("message", text)
    except (ValueError, AttributeError):
        return text[:300]
