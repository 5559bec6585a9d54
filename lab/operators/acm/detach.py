# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of a ManagedCluster: its works, its agent, its namespace, then itself. Each call does what is next."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

from strimzi.kube import object_path, path_of

from . import hub, imports, manifests
from .importer import ADDONS, OPERATORS, WORKS, HubApi, Importer

# An agent that takes itself away cannot say so any more.
AGENT_SECONDS = 25
Body = dict[str, Any]
log = logging.getLogger(__name__)


def since_deletion(body: Body, at: datetime | None = None) -> float:
    gone = datetime.fromisoformat(body["metadata"]["deletionTimestamp"])
    return ((at or datetime.now(UTC)) - gone).total_seconds()


def in_the_way(works: list[Body], cluster: str) -> tuple[list[Body], list[Body]]:
    """(works that go first, the one that holds the agent)."""
    own = f"{cluster}-klusterlet"
    return [w for w in works if w["metadata"]["name"] != own], [w for w in works if w["metadata"]["name"] == own]


class Detacher:
    """What it takes away from a cluster that it cannot reach, it forgets."""

    def __init__(self, importer: Importer) -> None:
        self.importer, self.api = importer, importer.api

    async def step(self, cluster: Body) -> str:
        """What is waited for now, "" when the cluster is let go."""
        name, reached = cluster["metadata"]["name"], hub.available(cluster)
        for addon in await self.api.all(ADDONS, "managedclusteraddons", name):
            await self.api.delete(path_of(ADDONS, "managedclusteraddons", name, addon["metadata"]["name"]))
        others, own = in_the_way(await self.api.all(WORKS, "manifestworks", name), name)
        for part, wait in ((others, None if reached else 0), (own, AGENT_SECONDS if reached else 0)):
            if part:
                await self._end(part, wait)
                return f"ManifestWorks {', '.join(w['metadata']['name'] for w in part)}"
        if name == hub.LOCAL and (left := await self._local_agent()):
            return left
        return await self._forget(cluster)

    async def _end(self, works: list[Body], wait: float | None) -> None:
        """Deletes them; after `wait` seconds nobody is asked any more whether the cluster did."""
        for work in works:
            path = object_path(work)
            if not work["metadata"].get("deletionTimestamp"):
                await self.api.delete(path)
            elif wait is not None and since_deletion(work) >= wait:
                await self.api.merge(path, {"metadata": {"finalizers": None}})

    async def _local_agent(self) -> str:
        """The hub's own agent is taken away directly."""
        path, agents = path_of(OPERATORS, "klusterlets", name="klusterlet"), manifests.AGENT_NAMESPACE
        if found := await self.api.get(path):
            if not found["metadata"].get("deletionTimestamp"):
                await self.api.delete(path)
            elif not await self.api.get(path_of("v1", "namespaces", name=agents)):
                # Its operator removes its own namespace, and may be gone before it has let the Klusterlet go.
                await self.api.merge(path, {"metadata": {"finalizers": None}})
            return "Klusterlet klusterlet"
        for body in manifests.agent(hub.LOCAL, self.importer.image, ""):
            if body["kind"] in ("ClusterRole", "ClusterRoleBinding"):
                await self.api.delete(object_path(body))
        return await self._namespace(agents)

    async def _namespace(self, name: str) -> str:
        """Deletes it and says so until it is gone."""
        path = path_of("v1", "namespaces", name=name)
        found = await self.api.get(path)
        if found is None:
            return ""
        if not found["metadata"].get("deletionTimestamp"):
            await self.api.delete(path)
        return f"Namespace {name}"

    async def _forget(self, cluster: Body) -> str:
        """Lets OCM end its part first: the rights in the namespace are its own."""
        name = cluster["metadata"]["name"]
        others = [f for f in cluster["metadata"].get("finalizers") or [] if f != imports.FINALIZER]
        if others:
            return f"finalizers {', '.join(others)} of ManagedCluster {name}"
        role = imports.bootstrap_role(name)
        for plural in ("clusterrolebindings", "clusterroles"):
            await self.api.delete(path_of("rbac.authorization.k8s.io/v1", plural, name=role))
        if left := await self._namespace(name):
            return left
        await self.api.merge(object_path(cluster), {"metadata": {"finalizers": None}})
        log.warning("detached %s", name)
        return ""


async def remove_hub(api: HubApi, image: str) -> str:
    """OCM's hub and its operator, after the last cluster; what is waited for, "" at the end."""
    manager = path_of(OPERATORS, "clustermanagers", name="cluster-manager")
    if await api.get(manager):
        await api.delete(manager)
        return "ClusterManager cluster-manager"
    for namespace in ("open-cluster-management-hub", manifests.HUB_NAMESPACE):
        path = path_of("v1", "namespaces", name=namespace)
        if await api.get(path):
            await api.delete(path)
            return f"Namespace {namespace}"
    for body in reversed(manifests.hub_operator(image)):
        await api.delete(object_path(body))
    return ""
