# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's process: `kopf run -n NAMESPACE -m quay.main`. After every event, and once a minute, it looks at all.

Environment: QUAY_IMAGE, what the application's pods run; RESYNC_SECONDS (60).
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import secrets
from typing import Any

import kopf
from strimzi.kube import Api, ApiError, path_of
from strimzi.store import Store
from strimzi.watching import watch_quietly
from strimzi.work import Failure, WorkQueue

from . import bundle, manifests, status
from .registry_config import self_signed

Body = dict[str, Any]
EVERYTHING = "everything"
RETRY_SECONDS = 2.0
log = logging.getLogger(__name__)


class Operator:
    """What the handlers share."""

    def __init__(self) -> None:
        self.api, self.store = Api.in_cluster("quay-operator"), Store()
        self.queue: WorkQueue[str] = WorkQueue(self.reconcile, workers=1)
        self.task = asyncio.create_task(self.queue.run())

    async def close(self) -> None:
        self.task.cancel()
        await self.api.close()

    async def reconcile(self, _key: str) -> float:
        registries = [r for r in self.store.all("QuayRegistry") if not r["metadata"].get("deletionTimestamp")]
        for registry in registries:
            await self._registry(registry)
        return float(os.environ.get("RESYNC_SECONDS", "60")) if all(map(settled, registries)) else RETRY_SECONDS

    async def _registry(self, registry: Body) -> None:
        try:
            name = registry["spec"].get("configBundleSecret", "")
            secret = await self._secret(registry, name) if name else {}
            wanted = bundle.read(registry, secret)
            running = await self._roll_out(registry, wanted)
            new = status.rolled_out(registry, bundle.managed(registry["spec"]), wanted.hostname, running)
        except Failure as error:
            new = status.blocked(registry, error.reason, str(error))
        except ApiError as error:
            new = status.blocked(registry, "ComponentCreationFailed", str(error))
        await self.api.set_status(registry, new)

    async def _roll_out(self, registry: Body, wanted: bundle.Wanted) -> Body:
        """Applies all objects; answers the application's Deployment."""
        keys = await self._keys(registry, wanted)
        config = manifests.configuration(registry, wanted, keys)
        for part in (config, manifests.volume(registry), manifests.service(registry, wanted)):
            await self.api.apply(part)
        return await self.api.apply(manifests.deployment(registry, os.environ["QUAY_IMAGE"], config))

    async def _keys(self, registry: Body, wanted: bundle.Wanted) -> dict[str, str]:
        """What is made once and kept: other keys would make every token and session worthless."""
        name = manifests.keys_name(registry)
        found = await self._secret(registry, name)
        if found:
            return found
        tokens, own = self_signed("quay"), self_signed(wanted.hostname)
        made = {"token.crt": tokens[0], "token.key": tokens[1], "ssl.cert": own[0], "ssl.key": own[1]}
        await self.api.create(manifests.secret(registry, name, made | {"SECRET_KEY": secrets.token_hex(32)}))
        return await self._secret(registry, name)

    async def _secret(self, registry: Body, name: str) -> dict[str, str]:
        """A Secret's texts, none when there is no such Secret."""
        found = await self.api.get(path_of("v1", "secrets", registry["metadata"]["namespace"], name))
        return {k: base64.b64decode(v).decode() for k, v in ((found or {}).get("data") or {}).items()}

    def saw(self, deleted: bool, body: Body) -> None:
        if deleted:
            self.store.drop(body["kind"], body["metadata"]["namespace"], body["metadata"]["name"])
        elif not self.store.put(body):
            return
        self.queue.add(EVERYTHING)


def settled(registry: Body) -> bool:
    """Whether nothing is on its way: neither a pod, nor a config bundle that may be corrected."""
    found = {c["type"]: c["status"] for c in (registry.get("status") or {}).get("conditions") or []}
    return found.get("Available") == "True" and found.get("RolloutBlocked") != "True"


@kopf.on.startup()
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """The queue's task lives in kopf's loop."""
    watch_quietly(settings)
    memo.operator = Operator()
    log.warning("watching QuayRegistry")


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    await memo.operator.close()


@kopf.on.event("quay.redhat.com", "v1", "quayregistries")
async def quay_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Every change of a QuayRegistry, and all of them once at start."""
    memo.operator.saw(event["type"] == "DELETED", event["object"])
