# SPDX-License-Identifier: GPL-3.0-or-later
"""The stand-in for OpenShift Data Foundation: what topics and notifications ask of RGW."""

import pytest
from odf import topics
from odf.documents import Notification, notification, read_notifications
from odf.s3 import parsed
from strimzi.work import Failure

KAFKA = {
    "uri": "kafka://kafka.example.com:9094",
    "useSSL": True,
    "ackLevel": "broker",
    "mechanism": "SCRAM-SHA-512",
    "userSecretRef": {"name": "rgw", "key": "user"},
    "passwordSecretRef": {"name": "rgw", "key": "password"},
}
LOGIN = {"userSecretRef": "rgw", "passwordSecretRef": "a/b"}
SECRETS = [{"name": "rgw", "namespace": "xraylab-1", "uid": "s-1", "resourceVersion": "7"}]


def topic(status=None, **spec):
    meta = {"name": "xray-images", "namespace": "xraylab-1", "generation": 2}
    return {"metadata": meta, "spec": {"persistent": True, **spec}, "status": status}


def test_the_attributes_of_a_kafka_endpoint():
    body = topic(endpoint={"kafka": KAFKA}, opaqueData="north")
    assert topics.references(body) == {name: KAFKA[name] for name in LOGIN}
    assert topics.attributes(body, LOGIN) == {
        "OpaqueData": "north",
        "persistent": "true",
        "push-endpoint": "kafka://rgw:a%2Fb@kafka.example.com:9094",
        "use-ssl": "true",
        "verify-ssl": "true",
        "kafka-ack-level": "broker",
        "mechanism": "SCRAM-SHA-512",
    }


def test_a_login_in_the_address_gives_way_to_that_of_a_secret():
    body = topic(endpoint={"kafka": {**KAFKA, "uri": "kafka://old:old@kafka.example.com:9094"}})
    assert topics.attributes(body, LOGIN)["push-endpoint"] == "kafka://rgw:a%2Fb@kafka.example.com:9094"


def test_the_attributes_of_an_http_endpoint():
    body = topic(endpoint={"http": {"uri": "http://u:p@relay:9010/x", "disableVerifySSL": True}}, persistent=None)
    assert topics.attributes(body, {}) == {
        "OpaqueData": "",
        "persistent": "false",
        "push-endpoint": "http://u:p@relay:9010/x",
        "verify-ssl": "false",
        "cloudevents": "false",
    }


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ({}, "expected one endpoint, saw none"),
        ({"kafka": KAFKA, "http": {"uri": "http://x"}}, "saw kafka, http"),
        ({"amqp": {"uri": "amqp://x", "exchange": "x"}}, "not amqp"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused(endpoint, words):
    with pytest.raises(Failure, match=words):
        topics.attributes(topic(endpoint=endpoint), {})


def test_a_topic_is_made_again_when_it_or_its_secrets_changed():
    body = topic(endpoint={"kafka": KAFKA})
    ready = topics.ready(body, "arn:aws:sns:default::xray-images", SECRETS)
    body["status"] = ready
    assert topics.is_done(body, SECRETS)
    assert not topics.is_done(body, [{**SECRETS[0], "resourceVersion": "8"}])
    body["metadata"]["generation"] = 3
    assert not topics.is_done(body, SECRETS)
    failed = topics.failed(body, Failure("ReconcileFailed", "no answer"))
    assert failed == {"phase": "ReconcileFailed", "message": "no answer", "observedGeneration": 2}


@pytest.mark.parametrize(
    ("labels", "asked"),
    [
        (None, []),
        ({"app": "x"}, []),
        ({"bucket-notification-b": "b", "bucket-notification-a": "a"}, ["a", "b"]),
        ({"bucket-notification-a": "b", "bucket-notification-": ""}, []),
    ],
)
def test_a_claims_labels_ask_for_notifications(labels, asked):
    assert topics.asked_for({"metadata": {"labels": labels}}) == asked


def test_a_notification_comes_back_as_it_was_written():
    spec = {
        "topic": "t",
        "events": ["s3:ObjectCreated:*"],
        "filter": {"keyFilters": [{"name": "prefix", "value": "in/"}]},
    }
    wanted = topics.notification({"metadata": {"name": "n"}, "spec": spec}, "arn:aws:sns:default::t")
    assert wanted == Notification("n", "arn:aws:sns:default::t", frozenset({"s3:ObjectCreated:*"}), {"prefix": "in/"})
    assert read_notifications(parsed(notification(wanted).decode())) == [wanted]


def test_without_events_all_are_announced():
    wanted = topics.notification({"metadata": {"name": "n"}, "spec": {"topic": "t"}}, "arn")
    assert wanted.events == {"s3:ObjectCreated:*", "s3:ObjectRemoved:*"}
    assert b"Filter" not in notification(wanted)


def test_filters_that_the_stand_in_does_not_know_are_refused():
    with pytest.raises(Failure, match="by key only"):
        topics.notification({"metadata": {"name": "n"}, "spec": {"topic": "t", "filter": {"tagFilters": [{}]}}}, "arn")
