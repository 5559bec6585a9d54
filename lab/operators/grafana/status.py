# SPDX-License-Identifier: GPL-3.0-or-later
"""The statuses that the Grafana Operator v5.18 writes. Pure."""

from __future__ import annotations

from typing import Any

from strimzi.conditions import condition, dated, now

from .models import Model

Body = dict[str, Any]
VERSION = "11.3.0"
NAMES = {"GrafanaDatasource": "Datasource", "GrafanaDashboard": "Dashboard"}


def grafana(body: Body, datasources: list[str], dashboards: list[str]) -> Body:
    """A Grafana that has come through all of the operator's stages."""
    meta, spec = body["metadata"], body["spec"]
    external = (spec.get("external") or {}).get("url")
    return {
        "stage": "complete",
        "stageStatus": "success",
        "adminUrl": external or f"http://{meta['name']}-service.{meta['namespace']}:3000",
        "version": spec.get("version") or VERSION,
        **({"datasources": sorted(datasources)} if datasources else {}),
        **({"dashboards": sorted(dashboards)} if dashboards else {}),
    }


def _with(body: Body, new: Body, **fields: Any) -> Body:
    """The old status with one condition; an unchanged one keeps its time."""
    old = body.get("status") or {}
    new = {**new, "observedGeneration": body["metadata"]["generation"]}
    return {**old, "conditions": dated(old.get("conditions"), [new]), "NoMatchingInstances": False, **fields}


def no_match(body: Body) -> Body:
    words = "None of the available Grafana instances matched the selector, skipping reconciliation"
    return _with(body, condition("NoMatchingInstance", "True", "EmptyAPIReply", words), NoMatchingInstances=True)


def invalid(body: Body, error: Exception) -> Body:
    reason = "InvalidModel" if body["kind"] == "GrafanaDatasource" else "InvalidModelResolution"
    return _with(body, condition("InvalidSpec", "True", reason, str(error)))


def refused(body: Body, error: Exception, instances: list[str]) -> Body:
    name = NAMES[body["kind"]]
    each = "".join(f"\n- {instance}: {error}" for instance in instances)
    words = f"{name} failed to be applied for {len(instances)} out of {len(instances)} instances. Errors:{each}"
    return _with(body, condition(f"{name}Synchronized", "False", "ApplyFailed", words))


def applied(body: Body, model: Model, instances: list[str]) -> Body:
    old, name = body.get("status") or {}, NAMES[body["kind"]]
    words = f"{name} was successfully applied to {len(instances)} instances"
    same = old.get("hash") == model.hash and old.get("lastResync")
    return _with(
        body,
        condition(f"{name}Synchronized", "True", "ApplySuccessful", words),
        hash=model.hash,
        uid=model.uid,
        lastResync=old["lastResync"] if same else now(),
    )
