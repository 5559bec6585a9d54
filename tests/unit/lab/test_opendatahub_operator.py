# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Open Data Hub: what it makes of each kind, what it refuses, and the statuses it writes."""

import pytest
from opendatahub import platform, serving, workbenches
from strimzi.work import Failure

MODES = {"defaultDeploymentMode": "RawDeployment", "serving": {"managementState": "Removed"}}


def initialization(**spec):
    return {"metadata": {"name": "default-dsci", "generation": 1}, "spec": spec}


def cluster(**components):
    return {"metadata": {"name": "default-dsc", "generation": 1}, "spec": {"components": components}}


def state(word, **more):
    return {"managementState": word, **more}


def conditions(status):
    return {c["type"]: (c.get("status"), c.get("reason")) for c in status["conditions"]}


def notebook(containers=("bench",), **annotations):
    meta = {"name": "bench", "namespace": "lab", "uid": "n-1", "annotations": annotations}
    pod = {"containers": [{"name": name, "env": [{"name": "A", "value": "1"}]} for name in containers]}
    spec = {"template": {"spec": pod}}
    return {"apiVersion": "kubeflow.org/v1", "kind": "Notebook", "metadata": meta, "spec": spec}


def inference(mode="RawDeployment", **predictor):
    meta = {"name": "m", "namespace": "lab", "uid": "i-1", "generation": 3, "annotations": {serving.MODE: mode}}
    container = {"name": "kserve-container", "image": "i", "ports": [{"containerPort": 8090}]}
    spec = {"predictor": {"containers": [container], "terminationGracePeriodSeconds": 5, **predictor}}
    return {
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": meta, "spec": spec
    }  # fmt: skip


def deployed(available="True", observed=7, updated=1):
    condition = {"type": "Available", "status": available, "reason": "R", "message": "words"}
    told = {"conditions": [condition], "observedGeneration": observed, "updatedReplicas": updated}
    return {"metadata": {"generation": 7}, "status": told}


def test_an_initialization_is_ready_once_and_alone():
    assert platform.initialized(initialization(), None)["phase"] == "Ready"
    with pytest.raises(Failure, match="only one DSCInitialization"):
        platform.check_initialization(initialization(), ["other"])


@pytest.mark.parametrize("part", ["monitoring", "serviceMesh", "trustedCABundle"])
def test_what_the_stand_in_has_not_is_refused(part):
    with pytest.raises(Failure, match=part) as caught:
        platform.check_initialization(initialization(**{part: state("Managed")}), [])
    assert platform.initialized(initialization(), caught.value)["phase"] == "Error"


def test_a_cluster_has_what_is_managed_and_nothing_else():
    body = cluster(workbenches=state("Managed"), kserve=state("Removed"), ray=state("Removed"))
    status = platform.cluster_status(body, None)
    assert status["phase"] == "Ready"
    assert status["installedComponents"] == {"kserve": False, "ray": False, "workbenches": True}
    assert platform.works({**body, "status": status}, "workbenches")
    assert not platform.works({**body, "status": status}, "kserve")


@pytest.mark.parametrize(
    ("components", "why"),
    [
        ({"ray": state("Managed")}, "ray is not in this stand-in"),
        ({"kserve": state("Managed")}, "RawDeployment"),
        ({"kserve": state("Managed", defaultDeploymentMode="RawDeployment")}, "serving.managementState"),
    ],
)
def test_a_component_that_cannot_work_keeps_the_cluster_from_being_ready(components, why):
    status = platform.cluster_status(cluster(workbenches=state("Managed"), **components), None)
    name = next(iter(components))
    assert status["phase"] == "Error"
    assert why in status["errorMessage"]
    assert conditions(status)[f"{name}Ready"] == ("False", "ReconcileFailed")
    assert conditions(status)["workbenchesReady"] == ("True", "ReconcileCompleted")
    assert conditions(status)["Degraded"][0] == "True"


def test_kserve_works_without_a_mesh():
    status = platform.cluster_status(cluster(kserve=state("Managed", **MODES)), None)
    assert status["installedComponents"] == {"kserve": True, "workbenches": False}


def test_a_cluster_waits_for_its_initialization():
    with pytest.raises(Failure, match="no DSCInitialization") as caught:
        platform.check_cluster(cluster(), [], initialized=False)
    status = platform.cluster_status(cluster(workbenches=state("Managed")), caught.value)
    assert (status["phase"], status["installedComponents"]) == ("Error", {"kserve": False, "workbenches": False})


def test_a_notebook_is_a_stateful_set_that_knows_its_prefix():
    made = workbenches.stateful_set(notebook())
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert made["spec"]["replicas"] == 1
    assert container["env"] == [{"name": "A", "value": "1"}, {"name": "NB_PREFIX", "value": "/notebook/lab/bench"}]
    assert container["ports"][0]["containerPort"] == 8888
    assert made["spec"]["template"]["metadata"]["labels"]["notebook-name"] == "bench"
    assert workbenches.service(notebook())["spec"]["ports"][0]["targetPort"] == 8888


def test_a_stopped_notebook_has_no_pod():
    stopped = notebook(**{"kubeflow-resource-stopped": "2026-11-26T10:00:00Z"})
    assert workbenches.stateful_set(stopped)["spec"]["replicas"] == 0
    assert workbenches.settled({**stopped, "status": {"readyReplicas": 0}})


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (notebook(containers=["other"]), "must be called bench"),
        (notebook(**{"notebooks.opendatahub.io/inject-oauth": "true"}), "needs Routes"),
    ],
)
def test_a_notebook_that_cannot_work_says_why(body, why):
    with pytest.raises(Failure, match=why) as caught:
        workbenches.check(body)
    assert why in workbenches.refused(caught.value)["containerState"]["waiting"]["message"]


def test_a_notebooks_condition_has_a_type_and_no_status():
    running = {"running": {"startedAt": "2026-11-26T10:00:00Z"}}
    pod = {"status": {"containerStatuses": [{"name": "bench", "state": running}]}}
    status = workbenches.status(notebook(), {"status": {"readyReplicas": 1}}, pod)
    assert status == {"conditions": [{"type": "Running"}], "readyReplicas": 1, "containerState": running}


def test_an_inference_service_is_a_deployment_behind_port_80():
    made = serving.deployment(inference(minReplicas=2, maxReplicas=2))
    assert (made["metadata"]["name"], made["spec"]["replicas"]) == ("m-predictor", 2)
    assert made["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 5
    assert "minReplicas" not in made["spec"]["template"]["spec"]
    assert serving.kubernetes_service(inference())["spec"]["ports"][0] | {"name": ""} == {
        "name": "", "port": 80, "protocol": "TCP", "targetPort": 8090
    }  # fmt: skip


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (inference(mode="Serverless"), "InvalidPredictorSpec"),
        (inference(containers=[], model={"modelFormat": {"name": "onnx"}}), "NoSupportingRuntime"),
        (inference(minReplicas=1, maxReplicas=3), "InvalidPredictorSpec"),
        (inference(canaryTrafficPercent=10), "InvalidPredictorSpec"),
    ],
)
def test_what_the_stand_in_cannot_serve_is_refused(body, reason):
    with pytest.raises(Failure) as caught:
        serving.check(body)
    status = serving.refused(body, caught.value)
    assert status["modelStatus"]["lastFailureInfo"]["reason"] == reason
    assert conditions(status)["Ready"] == ("False", reason)


def test_a_served_model_is_loaded_and_has_an_address():
    status = serving.status(inference(), deployed(), [{}])
    assert {name: word for name, (word, _) in conditions(status).items()} == dict.fromkeys(
        ("PredictorReady", "IngressReady", "Ready"), "True"
    )
    assert status["address"]["url"] == status["url"] == "http://m-predictor.lab.svc.cluster.local"
    assert status["modelStatus"]["states"]["activeModelState"] == "Loaded"
    assert status["observedGeneration"] == 3


@pytest.mark.parametrize("made", [None, deployed("False"), deployed(observed=6), deployed(updated=0)])
def test_a_deployment_that_is_not_there_yet_serves_nothing(made):
    status = serving.status(inference(), made, [])
    assert conditions(status)["Ready"][0] != "True"
    assert "url" not in status
    assert status["modelStatus"]["transitionStatus"] == "InProgress"


def test_a_container_that_ended_is_a_model_that_did_not_load():
    ended = {"terminated": {"exitCode": 2, "reason": "Error", "message": "no such model"}}
    pod = {"status": {"containerStatuses": [{"name": "kserve-container", "state": {}, "lastState": ended}]}}
    status = serving.status(inference(), deployed("False"), [pod])
    assert status["modelStatus"]["lastFailureInfo"] == {
        "reason": "ModelLoadFailed", "message": "no such model", "exitCode": 2
    }  # fmt: skip
    later = serving.status({**inference(), "status": status}, deployed(), [{}])
    assert later["modelStatus"]["lastFailureInfo"] is None
