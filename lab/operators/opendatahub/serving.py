# SPDX-License-Identifier: GPL-3.0-or-later
"""What an InferenceService in mode RawDeployment is made into, and its status, as KServe 0.15 has them. Pure."""

from __future__ import annotations

import copy
from typing import Any

from strimzi.conditions import condition, dated
from strimzi.work import Failure

Body = dict[str, Any]
MODES = ("RawDeployment", "Standard")  # the same; the second is its name from KServe 0.16 on
MODE, CLASS = "serving.kserve.io/deploymentMode", "serving.kserve.io/autoscalerClass"
LABEL = "serving.kserve.io/inferenceservice"
INVALID = "InvalidPredictorSpec"  # one of the few reasons that the CRD lets a failure have
CONTAINER, PORT = "kserve-container", 8080
UNSUPPORTED = {
    "autoScaling", "batcher", "canaryTrafficPercent", "containerConcurrency", "logger", "scaleMetric",
    "scaleMetricType", "scaleTarget", "timeout", "workerSpec",
}  # fmt: skip
NOT_THE_PODS = ("containers", "minReplicas", "maxReplicas", "deploymentStrategy", "labels", "annotations")


def check(service: Body) -> None:
    """Raises Failure for what KServe can do and this stand-in can't."""
    spec, predictor = service["spec"], service["spec"]["predictor"]
    mode = (service["metadata"].get("annotations") or {}).get(MODE, "RawDeployment")
    if mode not in MODES:
        raise Failure(INVALID, f"annotation {MODE}: this stand-in has no {mode}, only {' or '.join(MODES)}")
    if extra := [name for name in ("transformer", "explainer") if name in spec]:
        raise Failure(INVALID, f"spec.{extra[0]} is not in this stand-in")
    if [c["name"] for c in predictor.get("containers") or []] != [CONTAINER]:
        raise Failure(
            "NoSupportingRuntime", f"this stand-in has no runtimes: spec.predictor.containers must be one {CONTAINER}"
        )
    if unknown := UNSUPPORTED & set(predictor):
        raise Failure(INVALID, f"spec.predictor.{min(unknown)} is not in this stand-in")
    if predictor.get("maxReplicas", 0) > replicas(service):
        raise Failure(INVALID, "spec.predictor: this stand-in scales nothing, maxReplicas must be minReplicas")


def replicas(service: Body) -> int:
    least = service["spec"]["predictor"].get("minReplicas")
    return 1 if least is None else least


def name_of(service: Body) -> str:
    return f"{service['metadata']['name']}-predictor"


def _made(service: Body, api_version: str, kind: str, spec: Body) -> Body:
    meta = service["metadata"]
    owner = {k: service[k] for k in ("apiVersion", "kind")} | {"name": meta["name"], "uid": meta["uid"]}
    place = {"name": name_of(service), "namespace": meta["namespace"], "labels": labels(service)}
    place["ownerReferences"] = [{**owner, "controller": True, "blockOwnerDeletion": True}]
    return {"apiVersion": api_version, "kind": kind, "metadata": place, "spec": spec}


def labels(service: Body) -> Body:
    meta, extra = service["metadata"], service["spec"]["predictor"].get("labels") or {}
    fixed = {"app": f"isvc.{name_of(service)}", LABEL: meta["name"], "component": "predictor"}
    return {**(meta.get("labels") or {}), **extra, **fixed}


def deployment(service: Body) -> Body:
    predictor = service["spec"]["predictor"]
    pod = copy.deepcopy({key: value for key, value in predictor.items() if key not in NOT_THE_PODS})
    pod["containers"] = copy.deepcopy(predictor["containers"])
    strategy = predictor.get("deploymentStrategy") or {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    meta = {"labels": labels(service), "annotations": predictor.get("annotations") or {}}
    spec = {
        "replicas": replicas(service),
        "selector": {"matchLabels": {"app": f"isvc.{name_of(service)}"}},
        "strategy": strategy,
        "template": {"metadata": meta, "spec": pod},
    }
    return _made(service, "apps/v1", "Deployment", spec)


def kubernetes_service(service: Body) -> Body:
    """Port 80 is the container's first port."""
    first = (service["spec"]["predictor"]["containers"][0].get("ports") or [{"containerPort": PORT}])[0]
    port = {"name": first.get("name") or name_of(service), "port": 80, "protocol": "TCP"}
    port["targetPort"] = first["containerPort"]
    selector = {"app": f"isvc.{name_of(service)}"}
    return _made(service, "v1", "Service", {"selector": selector, "ports": [port]})


def url(service: Body) -> str:
    return f"http://{name_of(service)}.{service['metadata']['namespace']}.svc.cluster.local"


def status(service: Body, made: Body | None, pods: list[Body]) -> Body:
    """`made` is the Deployment as it is now. The predictor is as ready as that is available."""
    told = (made or {}).get("status") or {}
    available = next((c for c in told.get("conditions") or [] if c["type"] == "Available"), {"status": "Unknown"})
    current = told.get("observedGeneration") == ((made or {}).get("metadata") or {}).get("generation")
    ready = available["status"] == "True" and current and told.get("updatedReplicas", 0) >= replicas(service)
    word = "True" if ready else "False" if available["status"] == "False" else "Unknown"
    reason, words = ("", "") if ready else (available.get("reason", ""), available.get("message", ""))
    new = [
        condition("PredictorReady", word, reason, words),
        condition("IngressReady", "True" if ready else "False", "" if ready else "Predictor ingress not created"),
        condition("Ready", word, reason, words),
    ]
    where = {"url": url(service), "address": {"url": url(service)}} if ready else {}
    return {
        **_start(service, new),
        **where,
        "components": {"predictor": {"url": url(service)} if ready else {}},
        "modelStatus": _told(service, _model(ready, pods)),
    }


def _start(service: Body, new: list[Body]) -> Body:
    old = service.get("status") or {}
    times = dated(old.get("conditions"), new)
    return {"observedGeneration": service["metadata"]["generation"], "conditions": times}


def _told(service: Body, model: Body) -> Body:
    """A status is merged, so a failure that is over has to be taken out."""
    old = (service.get("status") or {}).get("modelStatus") or {}
    over = old.get("lastFailureInfo") and "lastFailureInfo" not in model
    return {**model, **({"lastFailureInfo": None} if over else {})}


def _model(ready: bool, pods: list[Body]) -> Body:
    copies = {"totalCopies": len(pods), "failedCopies": 0}
    if ready:
        states = {"activeModelState": "Loaded", "targetModelState": "Loaded"}
        return {"transitionStatus": "UpToDate", "states": states, "copies": copies}
    failure = next((found for pod in pods if (found := _failure(pod))), None)
    if failure:
        states = {"activeModelState": "", "targetModelState": "FailedToLoad"}
        copies["failedCopies"] = 1
        return {
            "transitionStatus": "BlockedByFailedLoad",
            "states": states,
            "copies": copies,
            "lastFailureInfo": failure,
        }
    states = {"activeModelState": "", "targetModelState": "Loading" if pods else "Pending"}
    return {"transitionStatus": "InProgress", "states": states, "copies": copies}


def _failure(pod: Body) -> Body | None:
    """Why the container of a pod ended, when it did."""
    for entry in (pod.get("status") or {}).get("containerStatuses") or []:
        ends = [(entry.get(key) or {}).get("terminated") for key in ("state", "lastState")]
        end = next((found for found in ends if found), None)
        if entry["name"] == CONTAINER and end and end.get("exitCode"):
            words = end.get("message") or end.get("reason", "")
            return {"reason": "ModelLoadFailed", "message": words, "exitCode": end["exitCode"]}
    return None


def refused(service: Body, error: Failure) -> Body:
    new = [condition(kind, "False", error.reason, str(error)) for kind in ("PredictorReady", "Ready")]
    failure = {"reason": error.reason, "message": str(error)}
    states = {"activeModelState": "", "targetModelState": "FailedToLoad"}
    model = {"transitionStatus": "InvalidSpec", "states": states, "lastFailureInfo": failure}
    return {**_start(service, new), "components": {"predictor": {}}, "modelStatus": model}


def settled(service: Body) -> bool:
    told = (service.get("status") or {}).get("modelStatus") or {}
    return told.get("transitionStatus") in ("UpToDate", "InvalidSpec")
