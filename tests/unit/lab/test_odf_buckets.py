# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for OpenShift Data Foundation: what becomes of an ObjectBucketClaim."""

import json

import pytest
from odf import claims
from odf.documents import lifecycle
from odf.rgw import RgwError
from odf.s3 import good, parsed
from strimzi.work import Failure

NAMESPACE = "openshift-storage"
ALLOWED = "maxObjects,bucketOwner,bucketPolicy,bucketLifecycle"
CLASS = {
    "metadata": {"name": "buckets"},
    "provisioner": "openshift-storage.ceph.rook.io/bucket",
    "reclaimPolicy": "Delete",
    "parameters": {"objectStoreName": "store", "objectStoreNamespace": NAMESPACE},
}


def claim(meta=None, **spec):
    return {
        "apiVersion": "objectbucket.io/v1alpha1",
        "kind": "ObjectBucketClaim",
        "metadata": {"name": "xray-source", "namespace": "xraylab-1", "uid": "u-1", "generation": 1, **(meta or {})},
        "spec": {"bucketName": "xray-source", "storageClassName": "buckets", **spec},
    }


OWNED = claim(additionalConfig={"bucketOwner": "xraylab", "bucketPolicy": "{}"})


@pytest.mark.parametrize(
    ("config", "setting", "words"),
    [
        ({"bucketOwner": "a", "bucketPolicy": "{}"}, None, "bucketOwner, bucketPolicy must be among ROOK_OBC_ALLOW_"),
        ({"bucketOwner": "a", "bucketPolicy": "{}"}, "bucketOwner", "additionalConfig: bucketPolicy must be"),
        ({"maxObjects": "10"}, None, "knows no maxObjects"),
    ],
)
def test_what_the_administrator_does_not_allow_or_the_stand_in_cannot_do_is_refused(config, setting, words):
    with pytest.raises(Failure, match=words):
        claims.check(claim(additionalConfig=config), CLASS, setting)


@pytest.mark.parametrize("body", [claim(), OWNED, claim(bucketName=None, generateBucketName="x")])
def test_what_it_can_do_is_taken(body):
    claims.check(body, CLASS, ALLOWED)


def test_a_claim_must_name_its_bucket():
    with pytest.raises(Failure, match="bucketName or generateBucketName"):
        claims.check(claim(bucketName=None), CLASS, ALLOWED)


@pytest.mark.parametrize("change", [{"reclaimPolicy": "Retain"}, {"parameters": {"bucketName": "b"}}])
def test_only_new_buckets_that_go_with_their_claims_are_made(change):
    with pytest.raises(Failure, match="new buckets only"):
        claims.check(claim(), {**CLASS, **change}, ALLOWED)


def test_a_bucket_is_of_the_given_owner_or_of_a_user_of_its_own():
    assert claims.owner(OWNED) == "xraylab"
    assert claims.owner(claim()) == "obc-xraylab-1-xray-source-u-1"


def test_a_generated_name_starts_as_wanted():
    name = claims.bucket_name(claim(bucketName=None, generateBucketName="x"))
    assert name.startswith("x-")
    assert len(name) == 38


def test_secret_and_config_map_are_as_lib_bucket_provisioner_makes_them():
    keys = {"access_key": "A", "secret_key": "S"}
    secret, config_map = claims.parts(claim(), keys, "https://192.0.2.1:443", NAMESPACE)
    assert secret["stringData"] == {"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "S"}
    assert config_map["data"] == {
        "BUCKET_NAME": "xray-source",
        "BUCKET_HOST": "192.0.2.1",
        "BUCKET_PORT": "443",
        "BUCKET_REGION": "",
        "BUCKET_SUBREGION": "",
    }
    for part in (secret, config_map):
        meta = part["metadata"]
        assert (meta["name"], meta["namespace"]) == ("xray-source", "xraylab-1")
        assert meta["finalizers"] == ["objectbucket.io/finalizer"]
        assert meta["labels"] == {"bucket-provisioner": "openshift-storage.ceph.rook.io-bucket"}
        assert meta["ownerReferences"][0]["uid"] == "u-1"


@pytest.mark.parametrize(
    ("body", "user", "own"), [(OWNED, "xraylab", "xraylab"), (claim(), "obc-xraylab-1-xray-source-u-1", None)]
)
def test_an_object_bucket_tells_whose_it_is(body, user, own):
    made = claims.object_bucket(body, CLASS, "https://192.0.2.1:443", NAMESPACE)
    state = made["spec"]["additionalState"]
    assert (made["kind"], made["metadata"]["name"]) == ("ObjectBucket", "obc-xraylab-1-xray-source")
    assert (state["cephUser"], state.get("bucketOwner"), state["objectStoreName"]) == (user, own, "store")
    assert made["spec"]["endpoint"]["bucketPort"] == 443
    assert made["spec"]["claimRef"]["namespace"] == "xraylab-1"


def test_a_claim_is_marked_before_there_is_a_bucket():
    patch = claims.patch(claim({"finalizers": ["another"]}), NAMESPACE)
    assert patch["metadata"]["finalizers"] == ["another", "objectbucket.io/finalizer"]
    assert patch["spec"] == {"bucketName": "xray-source"}


@pytest.mark.parametrize(("phase", "after"), [(None, "Pending"), ("Pending", "Pending"), ("Bound", "Bound")])
def test_a_failure_leaves_a_bound_claim_bound(phase, after):
    body = {**claim(), "status": {"phase": phase} if phase else None}
    assert claims.failed(body, Failure("InvalidSpec", "no")) == {"phase": after, "message": "no"}


def test_a_lifecycle_goes_from_json_to_xml():
    rule = {"ID": "results", "Status": "Enabled", "Filter": {"Prefix": "results/"}, "Expiration": {"Days": 30}}
    document = parsed(lifecycle(json.dumps({"Rules": [rule, {**rule, "ID": "second"}]})).decode())
    assert [entry.findtext("{*}ID") for entry in document] == ["results", "second"]
    assert document.findtext("{*}Rule/{*}Filter/{*}Prefix") == "results/"
    assert document.findtext("{*}Rule/{*}Expiration/{*}Days") == "30"


@pytest.mark.parametrize("text", ["", "[]", "{}", "{"])
def test_a_lifecycle_that_is_none_is_told(text):
    with pytest.raises(Failure, match="expected JSON with Rules"):
        lifecycle(text)


@pytest.mark.parametrize(
    ("text", "code"), [("<Error><Code>NoSuchBucketPolicy</Code></Error>", "NoSuchBucketPolicy"), ("", "")]
)
def test_a_bad_answer_is_told_with_its_code(text, code):
    assert good("GET", 200, "x") == "x"
    with pytest.raises(RgwError, match="GET: 404") as error:
        good("GET", 404, text)
    assert error.value.code == code
