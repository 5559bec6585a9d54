# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for OpenShift Data Foundation: what it asks of RGW, what it makes, and the statuses it writes."""

import base64
import copy
import json

import pytest
from odf import clusters, stores, users
from odf.rgw import Call, RgwError, read
from strimzi.work import Failure

CLUSTER = {
    "apiVersion": "ocs.openshift.io/v1",
    "kind": "StorageCluster",
    "metadata": {"name": "ocs-storagecluster", "namespace": "openshift-storage", "uid": "c-1", "generation": 1},
    "spec": {"externalStorage": {"enable": True}},
}
DETAILS = [
    {"kind": "StorageClass", "name": "ceph-rgw", "data": {"endpoint": "192.0.2.1:443", "poolPrefix": "default"}},
    {"kind": "Secret", "name": "rgw-admin-ops-user", "data": {"accessKey": "A", "secretKey": "S"}},
    {"kind": "Secret", "name": "ceph-rgw-tls-cert", "data": {"cert": "PEM"}},
    {"kind": "ConfigMap", "name": "rook-ceph-mon-endpoints", "data": {"data": "a=192.0.2.1:6789"}},
]
STORE = {
    "metadata": {"name": "store", "namespace": "openshift-storage", "generation": 3},
    "spec": {"gateway": {"externalRgwEndpoints": [{"ip": "192.0.2.1"}], "securePort": 443, "sslCertificateRef": "tls"}},
}
USER = {
    "apiVersion": "ceph.rook.io/v1",
    "kind": "CephObjectStoreUser",
    "metadata": {"name": "admin", "namespace": "openshift-storage", "uid": "u-1", "generation": 2},
    "spec": {"store": "store", "displayName": "Administrator", "capabilities": {"user": "*", "bucket": "read, write"}},
}
IN_RGW = {
    "max_buckets": 1000,
    "keys": [{"access_key": "A", "secret_key": "S"}],
    "caps": [{"type": "users", "perm": "*"}, {"type": "buckets", "perm": "*"}],
}


def user(**spec):
    return {**USER, "spec": {**USER["spec"], **spec}}


def decoded(secret):
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def test_a_new_user_is_created_with_its_capabilities():
    assert users.plan(USER, None) == [
        Call("PUT", {"uid": "admin", "max-buckets": "1000", "display-name": "Administrator"}),
        Call("PUT", {"uid": "admin", "user-caps": "buckets=*;users=*"}, "caps"),
    ]


def test_a_user_that_is_as_wanted_is_left_alone():
    assert users.plan(USER, IN_RGW) == []


def test_capabilities_that_are_not_wanted_go_first():
    calls = users.plan(user(capabilities={"users": "read"}), IN_RGW)
    assert [(call.method, call.params["user-caps"]) for call in calls] == [
        ("DELETE", "buckets=*;users=*"),
        ("PUT", "users=read"),
    ]


@pytest.mark.parametrize("most", [0, 5])
def test_a_limit_of_buckets_is_changed(most):
    assert users.plan(user(quotas={"maxBuckets": most}), IN_RGW) == [
        Call("POST", {"uid": "admin", "max-buckets": str(most)})
    ]


def test_a_call_shows_no_parameters():
    assert "user-caps" not in repr(users.plan(USER, None))


@pytest.mark.parametrize(
    ("spec", "words"),
    [({"clusterNamespace": "other"}, "own namespace"), ({"quotas": {"maxSize": "1Gi"}}, "maxBuckets")],
)
def test_what_the_stand_in_cannot_do_is_refused(spec, words):
    users.check(USER)
    with pytest.raises(Failure, match=words):
        users.check(user(**spec))


def test_a_users_secret_is_named_and_filled_as_rook_does():
    secret = users.secret(USER, IN_RGW, "https://192.0.2.1:443", "tls")
    assert secret["metadata"]["name"] == "rook-ceph-object-user-store-admin"
    assert secret["metadata"]["ownerReferences"][0]["uid"] == "u-1"
    assert decoded(secret) == {
        "AccessKey": "A",
        "SecretKey": "S",
        "Endpoint": "https://192.0.2.1:443",
        "SSLCertSecretName": "tls",
    }
    assert "SSLCertSecretName" not in users.secret(USER, IN_RGW, "http://192.0.2.1:80", None)["data"]


def test_a_users_status_says_where_its_keys_are_or_what_is_wrong():
    body = copy.deepcopy(USER)
    body["status"] = users.ready(body)
    assert body["status"] == {
        "phase": "Ready",
        "observedGeneration": 2,
        "info": {"secretName": "rook-ceph-object-user-store-admin"},
    }
    failed = users.failed(body, Failure("Owner", "it owns buckets"))
    assert (failed["phase"], failed["message"], failed["observedGeneration"]) == (
        "ReconcileFailed",
        "it owns buckets",
        2,
    )


@pytest.mark.parametrize(
    ("gateway", "info"),
    [
        ({}, {"endpoint": "https://192.0.2.1:443"}),
        ({"securePort": None, "port": 80}, {"endpoint": "http://192.0.2.1:80"}),
        ({"port": 80}, {"endpoint": "http://192.0.2.1:80", "secureEndpoint": "https://192.0.2.1:443"}),
    ],
)
def test_a_store_tells_its_addresses(gateway, info):
    store = {**STORE, "spec": {"gateway": {**STORE["spec"]["gateway"], **gateway}}}
    status = stores.ready(store)
    assert (status["phase"], status["observedGeneration"], status["info"]) == ("Ready", 3, info)
    assert stores.endpoint(store) == info.get("secureEndpoint", info["endpoint"])


@pytest.mark.parametrize(
    ("gateway", "words"),
    [
        ({"securePort": 443, "instances": 2}, "runs no gateway"),
        ({"externalRgwEndpoints": [{"hostname": "rgw"}]}, "needs securePort or port"),
    ],
)
def test_a_store_that_cannot_be_is_refused(gateway, words):
    with pytest.raises(Failure, match=words):
        stores.endpoints({**STORE, "spec": {"gateway": gateway}})


def test_external_details_become_secrets_and_the_object_store():
    made = {(part["kind"], part["metadata"]["name"]): part for part in clusters.parts(CLUSTER, json.dumps(DETAILS))}
    assert set(made) == {
        ("Secret", "rgw-admin-ops-user"),
        ("Secret", "ceph-rgw-tls-cert"),
        ("CephObjectStore", "ocs-storagecluster-cephobjectstore"),
    }
    store = made["CephObjectStore", "ocs-storagecluster-cephobjectstore"]
    assert stores.endpoint(store) == "https://192.0.2.1:443"
    assert decoded(made["Secret", stores.certificate(store)]) == {"cert": "PEM"}
    assert all(part["metadata"]["ownerReferences"][0]["uid"] == "c-1" for part in made.values())


def test_without_a_certificate_the_object_store_is_insecure():
    store = clusters.parts(CLUSTER, json.dumps(DETAILS[:2]))[-1]
    assert (stores.endpoint(store), stores.certificate(store)) == ("http://192.0.2.1:443", None)


@pytest.mark.parametrize("details", [None, "", "{", "{}x", '["a"]', '[{"kind": "Secret"}]'])
def test_details_that_are_none_are_told(details):
    with pytest.raises(
        Failure, match="expected key external_cluster_details of Secret rook-ceph-external-cluster-details"
    ):
        clusters.parts(CLUSTER, details)


@pytest.mark.parametrize("spec", [{}, {"externalStorage": {}}, {"storageDeviceSets": [{"name": "a"}]}])
def test_storage_inside_the_cluster_is_refused(spec):
    clusters.check(CLUSTER)
    with pytest.raises(Failure, match="runs no Ceph"):
        clusters.check({**CLUSTER, "spec": spec})


@pytest.mark.parametrize(
    ("waits_for", "error", "phase", "true"),
    [
        ([], None, "Ready", {"ReconcileComplete", "Available", "Upgradeable", "ExternalClusterConnected"}),
        (["store"], None, "Connecting", {"ReconcileComplete", "Progressing", "ExternalClusterConnecting"}),
        ([], Failure("Unsupported", "no"), "Error", {"Degraded"}),
    ],
)
def test_a_clusters_status(waits_for, error, phase, true):
    status = clusters.status(CLUSTER, waits_for, error)
    assert status["phase"] == phase
    assert {c["type"] for c in status["conditions"] if c["status"] == "True"} == true
    assert clusters.status({**CLUSTER, "status": status}, waits_for, error) == status


def test_an_answer_is_read_or_told():
    assert read("GET", 200, "") is None
    assert read("GET", 200, '["a"]') == ["a"]
    for status, text, code in ((404, '{"Code": "NoSuchUser"}', "NoSuchUser"), (503, "", ""), (200, "<html>", "")):
        with pytest.raises(RgwError) as error:
            read("GET of user", status, text)
        assert error.value.code == code
        assert str(error.value).startswith(f"GET of user: {status}")
