# SPDX-License-Identifier: GPL-3.0-or-later
"""Topics and users: what has to change in Kafka, and what their status says."""

from __future__ import annotations

import pytest
from strimzi import pki, topics, users
from strimzi.admin import OPERATIONS, RESOURCES
from strimzi.conditions import condition, dated, is_true
from strimzi.entities import enabled, with_finalizer
from strimzi.kube import object_path, path_of, status_patch
from strimzi.store import Store, cluster_of
from strimzi.topics import Changes, Topic
from strimzi.users import Acl
from strimzi.work import Failure
from strimzi_cases import KAFKA

SEEN = Topic("xray-images", 2, 1, {"retention.ms": "1000"}, "id")


@pytest.mark.parametrize(
    ("spec", "changes"),
    [
        ({"partitions": 2, "replicas": 1, "config": {"retention.ms": 1000}}, Changes()),
        ({"partitions": 4, "config": {"retention.ms": 1000}}, Changes(partitions=4)),
        ({"config": {"retention.ms": 2000}}, Changes(config={"retention.ms": "2000"})),
        ({}, Changes(config={"retention.ms": None})),
        (
            {"config": {"retention.ms": 1000, "preallocate": True, "cleanup.policy": ["compact", "delete"]}},
            Changes(config={"preallocate": "true", "cleanup.policy": "compact,delete"}),
        ),
    ],
)
def test_a_topic_is_changed_to_what_is_asked_for(spec, changes):
    assert topics.decide(spec, SEEN) == changes


def test_a_missing_topic_is_created():
    assert topics.decide({"partitions": 4}, None) == Changes(create=True)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"partitions": 1}, "Decreasing partitions not supported"),
        ({"replicas": 3}, "Replication factor change not supported"),
    ],
)
def test_what_kafka_cannot_do_has_strimzis_reason(spec, words):
    with pytest.raises(Failure, match=words) as failure:
        topics.decide(spec, SEEN)
    assert failure.value.reason == "NotSupported"


def test_a_topic_keeps_its_name():
    body = {"metadata": {"name": "t"}, "spec": {"topicName": "T_1"}}
    assert topics.topic_name(body) == "T_1"
    with pytest.raises(Failure, match="topicName"):
        topics.topic_name({**body, "status": {"topicName": "t"}})


def user(acls, kind="scram-sha-512"):
    return {
        "metadata": {"name": "rgw"},
        "spec": {"authentication": {"type": kind}, "authorization": {"type": "simple", "acls": acls}},
    }


def test_every_operation_of_a_rule_is_one_acl():
    found = users.wanted_acls(
        user(
            [
                {"resource": {"type": "topic", "name": "xray-images"}, "operations": ["Write", "Describe"]},
                {
                    "resource": {"type": "group", "name": "a", "patternType": "prefix"},
                    "operations": ["Read"],
                    "host": "h",
                },
                {"resource": {"type": "cluster"}, "operations": ["Alter"], "type": "deny"},
            ]
        )
    )
    assert found == {
        Acl("User:rgw", "topic", "xray-images", "literal", "Write"),
        Acl("User:rgw", "topic", "xray-images", "literal", "Describe"),
        Acl("User:rgw", "group", "a", "prefix", "Read", "h"),
        Acl("User:rgw", "cluster", "kafka-cluster", "literal", "Alter", "*", "deny"),
    }
    assert all(a.operation in OPERATIONS and a.resource in RESOURCES for a in found)


def test_a_tls_users_principal_is_its_subject():
    rule = [{"resource": {"type": "topic", "name": "t"}, "operations": ["Read"]}]
    assert {a.principal for a in users.wanted_acls(user(rule, "tls"))} == {"User:CN=rgw"}


def test_only_simple_authorization():
    with pytest.raises(Failure, match=r"expected authorization\.type simple"):
        users.wanted_acls({"metadata": {"name": "u"}, "spec": {"authorization": {"type": "opa"}}})


def test_who_has_no_resource_loses_credential_and_acls():
    mine, other = Acl("User:rgw", "topic", "t", "literal", "Read"), Acl("User:old", "topic", "t", "literal", "Read")
    assert users.strangers({"rgw", "old"}, {mine, other}, {"rgw"}) == ({"old"}, {other})


def test_password_may_come_from_a_secret():
    body = user([])
    assert users.password_reference(body) is None
    body["spec"]["authentication"]["password"] = {"valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}
    assert users.password_reference(body) == ("s", "k")
    assert users.jaas("u", "p").endswith('ScramLoginModule required username="u" password="p";')


def test_quotas_are_said_not_to_be_enforced():
    assert not users.warnings(user([]))
    assert "not enforced" in users.warnings({"spec": {"quotas": {"producerByteRate": 1}}})[0]


def test_topics_and_users_need_the_entity_operator():
    assert enabled(KAFKA, "topicOperator")
    assert not enabled(None, "topicOperator")
    assert not enabled({"spec": {"kafka": {}, "entityOperator": {"userOperator": {}}}}, "topicOperator")


def test_only_our_finalizer_comes_and_goes():
    body = {"metadata": {"finalizers": ["other"]}}
    assert with_finalizer(body, True) == ["other", "strimzi.io/topic-operator"]
    assert with_finalizer({"metadata": {"finalizers": with_finalizer(body, True)}}, False) == ["other"]


def test_a_condition_keeps_its_time_while_it_holds():
    old = dated(None, [condition("Ready")], "t1")
    assert dated(old, [condition("Ready")], "t2") == old
    assert dated(old, [condition("Ready", "False", "X", "m")], "t2")[0]["lastTransitionTime"] == "t2"
    assert is_true({"status": {"conditions": old}}, "Ready")
    assert not is_true({}, "Ready")


def test_a_status_patch_removes_what_has_gone():
    assert status_patch({"a": 1}, {"a": 1}) is None
    assert status_patch({"a": 1, "b": 2}, {"a": 3}) == {"status": {"a": 3, "b": None}}


def test_api_paths():
    assert path_of("v1", "nodes") == "/api/v1/nodes"
    body = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"namespace": "n", "name": "s"}}
    assert object_path(body) == "/apis/apps/v1/namespaces/n/statefulsets/s"


def test_the_store_tells_status_changes_from_others():
    store, body = Store(), {"kind": "KafkaTopic", "metadata": {"namespace": "n", "name": "t", "generation": 1}}
    assert store.put(body)
    assert not store.put({**body, "status": {"x": 1}})
    assert store.put({**body, "metadata": {**body["metadata"], "generation": 2}})
    assert store.get("KafkaTopic", "n", "t")["metadata"]["generation"] == 2
    store.drop("KafkaTopic", "n", "t")
    assert store.all("KafkaTopic") == []


def test_a_resource_belongs_to_the_cluster_on_its_label():
    assert cluster_of({"kind": "KafkaTopic", "metadata": {"labels": {"strimzi.io/cluster": "c"}}}) == "c"
    assert cluster_of(KAFKA) == "xray-cluster"


def test_certificates_are_kept_until_their_hosts_change():
    ca = pki.authority("cluster-ca v0")
    pair = pki.issue(ca, "x-kafka", ["a.svc", "10.250.0.1"])
    assert pki.serves(pair, ca, ["10.250.0.1", "a.svc"])
    assert not pki.serves(pair, ca, ["a.svc"])
    assert not pki.serves(pair, pki.authority("other"), ["10.250.0.1", "a.svc"])
    assert pki.split(pair.keystore) == pair
    assert pki.truststore(ca.certificate, "secret")
    assert pki.keystore(pair, "u", "secret")
    with pytest.raises(ValueError, match="saw no certificate"):
        pki.split(pair.key)
