# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for Advanced Cluster Management: what it makes, whom it lets in, what it tells."""

import base64
import json
from datetime import UTC, datetime, timedelta

import acm  # noqa: F401 - it teaches the client its kinds
import pytest
import yaml
from acm import detach, hub, imports, manifests, spoke
from strimzi.conditions import condition
from strimzi.work import Failure

OPERATOR = """
kind: Deployment
apiVersion: apps/v1
metadata: {name: klusterlet, namespace: open-cluster-management}
spec:
  replicas: 3
  template:
    spec:
      affinity: {podAntiAffinity: {}}
      containers:
        - {name: klusterlet, image: "quay.io/upstream:latest", env: [{name: POD_NAME}, {name: AGENT_IMAGE, value: x}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: klusterlet, namespace: open-cluster-management}
imagePullSecrets: [{name: pull}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: klusterlet}
subjects: [{kind: ServiceAccount, name: klusterlet, namespace: open-cluster-management}]
"""
CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: klusterlets.example}\n"
CLUSTER = {"metadata": {"name": "north"}, "spec": {"hubAcceptsClient": True}}
USER = "system:serviceaccount:north:north-bootstrap-sa"
NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.fixture(autouse=True)
def upstream(tmp_path, monkeypatch):
    (tmp_path / "klusterlet.yaml").write_text(OPERATOR)
    (tmp_path / "klusterlets.crd.yaml").write_text(CRD)
    monkeypatch.setattr(manifests, "FOLDER", tmp_path)
    manifests._read.cache_clear()


def kinds(objects):
    return {body["kind"]: body for body in objects}


def test_upstreams_operator_runs_once_with_the_labs_image_in_the_agents_namespace():
    made = kinds(manifests.agent("north", "image", "config"))
    pod = made["Deployment"]["spec"]["template"]["spec"]
    assert made["Deployment"]["spec"]["replicas"] == 1
    assert "affinity" not in pod
    assert pod["containers"][0]["image"] == "image"
    assert pod["containers"][0]["env"] == [{"name": "POD_NAME"}, {"name": "AGENT_IMAGE", "value": "image"}]
    assert "imagePullSecrets" not in made["ServiceAccount"]
    agents = "open-cluster-management-agent"
    assert made["Deployment"]["metadata"]["namespace"] == made["Secret"]["metadata"]["namespace"] == agents
    assert made["ClusterRoleBinding"]["subjects"][0]["namespace"] == agents
    assert made["Klusterlet"]["spec"]["clusterName"] == "north"


def test_what_is_made_of_a_file_does_not_change_the_file():
    manifests.agent("north", "image", "config")
    assert kinds(manifests.documents("klusterlet.yaml"))["Deployment"]["spec"]["replicas"] == 3


def test_the_import_secret_holds_kinds_and_objects_apart():
    config = imports.kubeconfig("https://hub:6443", "PEM", "secret-token")
    secret = imports.import_secret("north", "image", config, "2027-11-26T00:00:00Z")
    crds, rest = imports.objects_of(secret)
    assert [body["kind"] for body in crds] == ["CustomResourceDefinition"]
    bootstrap = kinds(rest)["Secret"]
    assert bootstrap["metadata"]["name"] == "bootstrap-hub-kubeconfig"
    assert yaml.safe_load(bootstrap["stringData"]["kubeconfig"])["users"][0]["user"] == {"token": "secret-token"}
    assert not imports.is_stale(secret, "image", NOW)


@pytest.mark.parametrize(("image", "days"), [("newer", 0), ("image", 300), ("image", 400)])
def test_the_import_secret_is_made_anew_for_another_image_and_before_its_token_ends(image, days):
    expires = (NOW + timedelta(days=360)).isoformat()
    secret = imports.import_secret("north", "image", "config", expires)
    assert imports.is_stale(secret, image, NOW + timedelta(days=days))
    assert imports.is_stale(None, image)


def request(user=USER, cluster="north", signer=imports.SIGNER, **more):
    meta = {"name": "north-abcde", "labels": {"open-cluster-management.io/cluster-name": cluster}}
    return {"metadata": meta, "spec": {"username": user, "signerName": signer}, **more}


@pytest.mark.parametrize(
    ("asked", "cluster", "let_in"),
    [
        (request(), CLUSTER, True),
        (request(status={}), CLUSTER, True),
        (request(), {**CLUSTER, "spec": {"hubAcceptsClient": False}}, False),
        (request("system:serviceaccount:south:south-bootstrap-sa"), CLUSTER, False),
        (request(cluster="south"), CLUSTER, False),
        (request(signer="kubernetes.io/kubelet-serving"), CLUSTER, False),
        (request(status={"conditions": [condition("Denied")]}), CLUSTER, False),
    ],
)
def test_only_an_accepted_clusters_own_bootstrap_account_gets_a_certificate(asked, cluster, let_in):
    assert imports.to_approve(asked, {"north": cluster}) is let_in
    if let_in:
        assert imports.approved(asked)["status"]["conditions"][0]["type"] == "Approved"


def test_the_import_condition_stands_beside_those_of_ocm():
    cluster = {**CLUSTER, "status": {"conditions": [condition("ManagedClusterJoined")]}}
    told = imports.told(cluster, "False", "ManagedClusterImportFailed", "refused")
    again = imports.told({**CLUSTER, "status": told}, "True", "ManagedClusterImported", "Import succeeded")
    assert [(c["type"], c["status"]) for c in again["conditions"]] == [
        ("ManagedClusterJoined", "True"),
        ("ManagedClusterImportSucceeded", "True"),
    ]


def secret(**texts):
    data = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
    return {"metadata": {"name": imports.AUTO_IMPORT, "namespace": "north"}, "data": data}


@pytest.mark.parametrize(
    ("annotations", "retry", "expected"), [(None, "5", (0, 5)), ({imports.RETRIED: "2"}, "5", (2, 5)), ({}, "", (0, 0))]
)
def test_tries_are_counted(annotations, retry, expected):
    body = secret(autoImportRetry=retry)
    body["metadata"]["annotations"] = annotations
    assert imports.retries(body) == expected


def config(**user):
    return json.dumps(
        {
            "clusters": [{"name": "c", "cluster": {"server": "https://north:6443"}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        }
    )


@pytest.mark.parametrize("texts", [{"server": "https://north:6443", "token": "t"}, {"kubeconfig": config(token="t")}])
def test_a_cluster_is_reached_by_token_or_kubeconfig(texts):
    reached = spoke.spoke_of(texts)
    assert (reached._server, reached._token_file.read_text()) == ("https://north:6443", "t")


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ({}, "expected kubeconfig, or server and token"),
        ({"server": "https://north:6443"}, "expected kubeconfig, or server and token"),
        ({"kubeconfig": "{"}, "can't be read"),
        ({"kubeconfig": "clusters: []"}, "can't be read"),
        ({"kubeconfig": config(exec={"command": "oc"})}, "token or certificate itself"),
    ],
)
def test_credentials_that_are_none_are_told(texts, words):
    with pytest.raises(Failure, match=words):
        spoke.spoke_of(texts)


def manager(**states):
    return {"status": {"conditions": [condition(name, status, "Reason", "words") for name, status in states.items()]}}


GOOD = {
    "Applied": "True",
    "HubRegistrationDegraded": "False",
    "HubPlacementDegraded": "False",
    "Progressing": "False",
}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "not there yet"),
        ({}, "has not looked yet"),
        (manager(**{**GOOD, "Applied": "False"}), "words"),
        (manager(**{**GOOD, "HubRegistrationDegraded": "True"}), "HubRegistrationDegraded words"),
        (manager(**GOOD), ""),
    ],
)
def test_what_the_hub_lacks_is_told(body, words):
    assert words in hub.works(body)
    assert bool(hub.works(body)) is bool(words)


@pytest.mark.parametrize(
    ("missing", "error", "gone", "phase", "complete"),
    [
        ("", None, False, "Running", "True"),
        ("ClusterManager", None, False, "Installing", "False"),
        ("", Failure("x", "no rights"), False, "Error", "False"),
        ("waits", None, True, "Uninstalling", "False"),
    ],
)
def test_the_hubs_phase(missing, error, gone, phase, complete):
    body = {"metadata": {"deletionTimestamp": "2026-11-26T00:00:00Z"} if gone else {}, "spec": {}}
    status = hub.status(body, missing, error)
    assert (status["phase"], status["desiredVersion"]) == (phase, hub.VERSION)
    assert (status["currentVersion"] == hub.VERSION) is (phase == "Running")
    assert next(c["status"] for c in status["conditions"] if c["type"] == "Complete") == complete
    assert hub.status({**body, "status": status}, missing, error) == status


def test_the_agents_own_work_goes_last():
    works = [{"metadata": {"name": name}} for name in ("xraylab", "north-klusterlet")]
    others, own = detach.in_the_way(works, "north")
    assert [w["metadata"]["name"] for w in others + own] == ["xraylab", "north-klusterlet"]
    assert detach.since_deletion({"metadata": {"deletionTimestamp": "2026-11-25T23:59:00Z"}}, NOW) == 60
