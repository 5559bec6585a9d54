# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles ask of Data Foundation where it makes buckets and announcements."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template

init_plugin_loader()
ROLES = Path(__file__).resolve().parents[3] / "roles"
NAMES = {"xraylab_namespace": "xraylab-1", "object_store_namespace": "storage", "object_store_ceph_store": "store"}
BUCKET = {"name": "xray-source", "readers": ["reader"], "writers": ["modality"]}


def rendered(role, template, **given):
    """The objects that a template makes with the role's defaults and variables."""
    folder, variables = ROLES / role, {"ansible_search_path": [str(ROLES / role)]}
    for file in ("defaults/main.yml", "vars/main.yml"):
        variables |= {key: trusted(value) for key, value in yaml.safe_load((folder / file).read_text()).items()}
    templar = Templar(loader=DataLoader(), variables={**variables, **NAMES, **given})
    text = templar.template(trust_as_template((folder / "templates" / template).read_text()))
    return [document for document in yaml.safe_load_all(text) if document]


def trusted(value):
    if isinstance(value, dict):
        return {key: trusted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [trusted(each) for each in value]
    return trust_as_template(value) if isinstance(value, str) else value


def topic(endpoint):
    secrets = {"rgw": {"password": base64.b64encode(b"a/b").decode()}}
    bootstrap = {"external": "kafka.example.com:9094"}
    given = {"__image_events_secrets": secrets, "__image_events_bootstrap": bootstrap}
    made = rendered("image_events", "cephbuckettopic.yaml.j2", image_events_push_endpoint=endpoint, **given)
    return {body["kind"]: body for body in made}


def test_a_claim_says_whose_the_bucket_is_and_who_may_do_what():
    (claim,) = rendered("object_store", "claims.yaml.j2", object_store_buckets=[BUCKET], object_store_owner="owner")
    assert (claim["metadata"]["name"], claim["metadata"]["namespace"]) == ("xray-source", "xraylab-1")
    assert claim["spec"]["bucketName"] == "xray-source"
    assert claim["spec"]["additionalConfig"]["bucketOwner"] == "owner"
    policy = json.loads(claim["spec"]["additionalConfig"]["bucketPolicy"])
    assert {statement["Sid"] for statement in policy["Statement"]} == {
        "readers-list",
        "readers-read",
        "writers-store",
        "writers-keep",
        "writers-do-not-read",
    }


def test_its_storage_class_leads_to_the_object_store():
    (storage_class,) = rendered("object_store", "storageclass.yaml.j2")
    (claim,) = rendered("object_store", "claims.yaml.j2", object_store_buckets=[BUCKET])
    assert claim["spec"]["storageClassName"] == storage_class["metadata"]["name"]
    assert storage_class["provisioner"] == "storage.ceph.rook.io/bucket"
    assert storage_class["parameters"] == {"objectStoreName": "store", "objectStoreNamespace": "storage"}


def test_only_the_owner_may_make_buckets():
    made = rendered("object_store", "users.yaml.j2", object_store_buckets=[BUCKET], object_store_owner="owner")
    assert {body["metadata"]["name"]: body["spec"]["quotas"]["maxBuckets"] for body in made} == {
        "owner": 1000,
        "reader": -1,
        "modality": -1,
    }


@pytest.mark.parametrize("endpoint", ["kafka://{user}:{password}@{bootstrap}", "kafka://{bootstrap}"])
def test_kafkas_password_stays_in_a_secret(endpoint):
    made = topic(endpoint)
    kafka, secret = made["CephBucketTopic"]["spec"]["endpoint"]["kafka"], made["Secret"]
    assert kafka["uri"] == "kafka://kafka.example.com:9094"
    assert (kafka["mechanism"], kafka["useSSL"], kafka["ackLevel"]) == ("SCRAM-SHA-512", True, "broker")
    for reference in ("userSecretRef", "passwordSecretRef"):
        assert kafka[reference]["name"] == secret["metadata"]["name"]
        assert kafka[reference]["key"] in secret["data"]
    assert base64.b64decode(secret["data"]["password"]) == b"a/b"


def test_another_endpoint_is_given_as_it_is():
    made = topic("http://{user}:{password}@relay.example.com/{bootstrap}/{topic}")
    assert made["CephBucketTopic"]["spec"]["endpoint"] == {
        "http": {"uri": "http://rgw:a/b@relay.example.com/kafka.example.com:9094/xray-images"}
    }
    assert "Secret" not in made


def test_an_event_that_is_not_taken_is_kept():
    assert topic("kafka://{bootstrap}")["CephBucketTopic"]["spec"]["persistent"] is True


def test_the_label_of_the_claim_names_the_notification():
    (notification,) = rendered("image_events", "cephbucketnotification.yaml.j2")
    name = notification["metadata"]["name"]
    label = yaml.safe_load((ROLES / "image_events/vars/main.yml").read_text())["__image_events_label"]
    assert label.replace("{{ image_events_topic }}", name) == f"bucket-notification-{name}"
    assert notification["spec"]["topic"] == name
