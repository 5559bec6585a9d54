# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Notebook is made into, and its status, as Kubeflow's notebook controller has them. Pure."""

from __future__ import annotations

import copy
from typing import Any

from strimzi.work import Failure

Body = dict[str, Any]
STOPPED = "kubeflow-resource-stopped"
PROXIES = ("notebooks.opendatahub.io/inject-oauth", "notebooks.opendatahub.io/inject-auth")
PORT = 8888


def check(notebook: Body) -> None:
    """Raises Failure for what this stand-in can't do, and for what the vendor's controller would ignore."""
    meta = notebook["metadata"]
    if asked := [name for name in PROXIES if (meta.get("annotations") or {}).get(name) == "true"]:
        raise Failure("Unsupported", f"annotation {asked[0]}: the proxy needs Routes and OAuth, which are not here")
    if not any(c["name"] == meta["name"] for c in notebook["spec"]["template"]["spec"]["containers"]):
        raise Failure(
            "InvalidSpec", f"spec.template.spec.containers: one must be called {meta['name']}, as the Notebook"
        )


def _owned(notebook: Body, api_version: str, kind: str, spec: Body) -> Body:
    meta = notebook["metadata"]
    owner = {k: notebook[k] for k in ("apiVersion", "kind")} | {"name": meta["name"], "uid": meta["uid"]}
    place = {"name": meta["name"], "namespace": meta["namespace"]}
    place["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    return {"apiVersion": api_version, "kind": kind, "metadata": place, "spec": spec}


def prefix(notebook: Body) -> str:
    return f"/notebook/{notebook['metadata']['namespace']}/{notebook['metadata']['name']}"


def stateful_set(notebook: Body) -> Body:
    meta, name = notebook["metadata"], notebook["metadata"]["name"]
    pod = copy.deepcopy(notebook["spec"]["template"]["spec"])
    container = next(c for c in pod["containers"] if c["name"] == name)
    container.setdefault("ports", [{"name": "notebook-port", "containerPort": PORT, "protocol": "TCP"}])
    variables = [variable for variable in container.get("env") or [] if variable["name"] != "NB_PREFIX"]
    container["env"] = [*variables, {"name": "NB_PREFIX", "value": prefix(notebook)}]
    labels = {**(meta.get("labels") or {}), "statefulset": name, "notebook-name": name}
    spec = {
        "replicas": 0 if STOPPED in (meta.get("annotations") or {}) else 1,
        "serviceName": name,
        "selector": {"matchLabels": {"statefulset": name}},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return _owned(notebook, "apps/v1", "StatefulSet", spec)


def service(notebook: Body) -> Body:
    name = notebook["metadata"]["name"]
    port = {"name": f"http-{name}", "port": 80, "targetPort": PORT, "protocol": "TCP"}
    return _owned(notebook, "v1", "Service", {"selector": {"statefulset": name}, "ports": [port], "type": "ClusterIP"})


def status(notebook: Body, made: Body | None, pod: Body | None) -> Body:
    """The set's count and the container's state, also as the only condition: without a status, as the vendor's."""
    ready = ((made or {}).get("status") or {}).get("readyReplicas", 0)
    found = ((pod or {}).get("status") or {}).get("containerStatuses") or []
    state = next((c["state"] for c in found if c["name"] == notebook["metadata"]["name"]), {})
    conditions = [_condition(kind, told) for kind, told in state.items()]
    return {"conditions": conditions, "readyReplicas": ready, "containerState": state}


def _condition(kind: str, told: Body) -> Body:
    kept = {key: told[key] for key in ("reason", "message") if told.get(key)}
    return {"type": kind.capitalize(), **kept}


def refused(error: Failure) -> Body:
    waiting = {"reason": error.reason, "message": str(error)}
    return {"conditions": [_condition("waiting", waiting)], "readyReplicas": 0, "containerState": {"waiting": waiting}}


def settled(notebook: Body) -> bool:
    """Whether there is nothing to look for soon."""
    stopped = STOPPED in (notebook["metadata"].get("annotations") or {})
    ready = (notebook.get("status") or {}).get("readyReplicas", 0)
    return ready == (0 if stopped else 1)
