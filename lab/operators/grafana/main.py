# SPDX-License-Identifier: GPL-3.0-or-later
"""The operator's process: `kopf run -A -m grafana.main`. After every event, and once a minute, it looks at everything.

Environment: RESYNC_SECONDS (60).
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from typing import Any

import kopf
from strimzi.kube import Api, object_path, path_of
from strimzi.store import Store
from strimzi.watching import watch_quietly
from strimzi.work import WorkQueue

from . import models, status
from .instances import entry, selected
from .models import Invalid, Model, Refused

GROUP = "grafana.integreatly.org"
EVERYTHING = "everything"
Body = dict[str, Any]
log = logging.getLogger(__name__)


class Operator:
    """What the handlers share."""

    def __init__(self) -> None:
        self.api, self.store = Api.in_cluster("grafana-operator"), Store()
        self.queue: WorkQueue[str] = WorkQueue(self.reconcile, workers=1)
        self.task = asyncio.create_task(self.queue.run())

    async def reconcile(self, _key: str) -> float:
        """Datasources before the dashboards that refer to them; a Grafana's status lists both."""
        grafanas = [g for g in self.store.all("Grafana") if not g["metadata"].get("deletionTimestamp")]
        for grafana in grafanas:
            await self._accept(grafana)
        for kind in ("GrafanaDatasource", "GrafanaDashboard"):
            for body in self.store.all(kind):
                await self._apply(body, [g for g in grafanas if selected(body, g)])
        for grafana in grafanas:
            lists = [self._landed(kind, grafana) for kind in ("GrafanaDatasource", "GrafanaDashboard")]
            await self.api.set_status(grafana, status.grafana(grafana, *map(list, lists)))
        return float(os.environ.get("RESYNC_SECONDS", "60"))

    async def _accept(self, grafana: Body) -> None:
        """What others lean on: the version in the spec, as the operator writes it, and the account for tokens."""
        if not grafana["spec"].get("version") and not grafana["spec"].get("external"):
            await self.api.merge(object_path(grafana), {"spec": {"version": status.VERSION}})
        meta = grafana["metadata"]
        account = {"name": f"{meta['name']}-sa", "namespace": meta["namespace"]}
        annotations = ((grafana["spec"].get("serviceAccount") or {}).get("metadata") or {}).get("annotations") or {}
        owner = {k: grafana[k] for k in ("apiVersion", "kind")} | {"name": meta["name"], "uid": meta["uid"]}
        body = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
        body["metadata"] |= {"annotations": annotations, "ownerReferences": [owner]}
        await self.api.apply(body)

    def _landed(self, kind: str, grafana: Body) -> dict[str, Body]:
        """The resources of a kind that are in this Grafana, by how its status names them."""
        condition = f"{status.NAMES[kind]}Synchronized"
        return {
            entry(body): body
            for body in self.store.all(kind)
            if selected(body, grafana)
            and any(
                c["type"] == condition and c["status"] == "True"
                for c in (body.get("status") or {}).get("conditions") or []
            )
        }

    async def _apply(self, body: Body, instances: list[Body]) -> None:
        """Checks one datasource or dashboard and says so in its status."""
        names = [f"{g['metadata']['namespace']}/{g['metadata']['name']}" for g in instances]
        try:
            model = await self._model(body)
            if not names:
                new = status.no_match(body)
            else:
                self._check(body, model, instances)
                new = status.applied(body, model, names)
        except Invalid as error:
            new = status.invalid(body, error)
        except Refused as error:
            new = status.refused(body, error, names) if names else status.no_match(body)
        await self.api.set_status(body, new)

    def _check(self, body: Body, model: Model, instances: list[Body]) -> None:
        if body["kind"] != "GrafanaDashboard":
            return
        for grafana in instances:
            known = self._landed("GrafanaDatasource", grafana).values()
            names = {b["spec"]["datasource"]["name"] for b in known} | {b["status"]["uid"] for b in known}
            models.check_datasources(model, names)

    async def _model(self, body: Body) -> Model:
        if body["kind"] == "GrafanaDatasource":
            wanted = body["spec"].get("valuesFrom") or []
            found = [(w["targetPath"], *await self._referenced(body, w["valueFrom"])) for w in wanted]
            return models.datasource(body, found)
        if models.source(body["spec"]) != "configMapRef":
            return models.dashboard(body)
        _, text = await self._referenced(body, {"configMapKeyRef": body["spec"]["configMapRef"]})
        return models.dashboard(body, text)

    async def _referenced(self, body: Body, value_from: Body) -> tuple[str, str]:
        """A key of a Secret or ConfigMap in the resource's namespace, and its value."""
        secret = value_from.get("secretKeyRef")
        wanted = secret or value_from["configMapKeyRef"]
        plural = "secrets" if secret else "configmaps"
        found = await self.api.get(path_of("v1", plural, body["metadata"]["namespace"], wanted["name"]))
        value = ((found or {}).get("data") or {}).get(wanted["key"])
        if value is None:
            raise Invalid(f"missing key {wanted['key']} in {plural[:-1]} {wanted['name']}")
        return wanted["key"], base64.b64decode(value).decode() if secret else value

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
    log.warning("watching %s in all namespaces", GROUP)


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    memo.operator.task.cancel()
    await memo.operator.api.close()


@kopf.on.event(GROUP, "v1beta1", "grafanas")
@kopf.on.event(GROUP, "v1beta1", "grafanadatasources")
@kopf.on.event(GROUP, "v1beta1", "grafanadashboards")
async def grafana_event(event: kopf.RawEvent, memo: kopf.Memo, **_: Any) -> None:
    """Every change of the three kinds, and all of them once at start."""
    memo.operator.saw(event["type"] == "DELETED", event["object"])
