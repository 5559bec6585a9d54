# SPDX-License-Identifier: GPL-3.0-or-later
"""Retries, offsets, credentials, status of the KafkaSource stand-in."""

from __future__ import annotations

import pytest
from eventing_kafka import delivery
from eventing_kafka.connection import Auth, BadSecret, Reference, from_net, from_secret, net_references
from eventing_kafka.delivery import Policy
from eventing_kafka.manifests import deployment_name, dispatcher, selector
from eventing_kafka.offsets import Progress
from eventing_kafka.resolve import address
from eventing_kafka.settings import Settings
from eventing_kafka.sources import available, build_settings
from eventing_kafka.status import living_set, ready
from strimzi.conditions import condition
from strimzi.metrics import Metrics
from strimzi.work import retry_delay


@pytest.mark.parametrize("code", [None, 404, 408, 409, 429, 500, 502, 503, 504, 599])
def test_worth_another_try(code):
    assert delivery.retriable(code)


@pytest.mark.parametrize("code", [301, 400, 401, 403, 405, 410, 413, 415, 422, 451])
def test_final(code):
    assert not delivery.retriable(code)
    assert not delivery.delivered(code)


@pytest.mark.parametrize("code", [200, 202, 204])
def test_delivered(code):
    assert delivery.delivered(code)


@pytest.mark.parametrize(("text", "seconds"), [("PT0.5S", 0.5), ("PT1M30S", 90), ("PT2H", 7200), ("P1DT1S", 86401)])
def test_durations(text, seconds):
    assert delivery.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5s", "PT", "P", "0.5"])
def test_no_duration(text):
    with pytest.raises(ValueError, match="expected an ISO 8601 duration"):
        delivery.seconds(text)


def test_delivery_has_knatives_defaults():
    assert delivery.parse(None) == Policy(10, "exponential", 10, 600)
    spec = {"retry": 3, "backoffPolicy": "linear", "backoffDelay": "PT1S", "timeout": "PT30S"}
    assert delivery.parse(spec) == Policy(3, "linear", 1, 30)
    assert delivery.parse({"retry": 0}).retry == 0
    with pytest.raises(ValueError, match="linear or exponential"):
        delivery.parse({"backoffPolicy": "random"})


def test_pauses_grow():
    assert [Policy(delay=0.5).pause(n) for n in (1, 2, 3)] == [1, 2, 4]
    assert [Policy(delay=0.5, backoff="linear").pause(n) for n in (1, 2, 3)] == [0.5, 1, 1.5]
    assert [retry_delay(n) for n in (1, 2, 7, 50)] == [1, 2, 60, 60]


def test_commits_stop_at_the_first_unfinished_record():
    progress = Progress()
    for offset in (10, 11, 12):
        progress.received(offset)
    assert progress.committable() == 10
    progress.committed(10)
    progress.done(11)
    assert progress.committable() is None
    progress.done(10)
    assert progress.committable() == 12
    progress.committed(12)
    progress.done(12)
    assert progress.committable() == 13
    assert progress.pending == 0


def test_gaps_between_offsets_are_no_obstacle():
    progress = Progress()
    progress.received(3)
    progress.received(9)
    progress.done(3)
    assert progress.committable() == 9


def test_nothing_received_is_nothing_to_commit():
    assert Progress().committable() is None


def ref(name, key):
    return {"secretKeyRef": {"name": name, "key": key}}


NET = {
    "sasl": {"enable": True, "user": ref("s", "user"), "password": ref("s", "password"), "type": ref("s", "type")},
    "tls": {"enable": True, "caCert": ref("c", "ca.crt")},
}


def test_credentials_of_a_source():
    assert net_references(NET)["ca"] == Reference("c", "ca.crt")
    auth = from_net(NET, {"user": "u\n", "password": "p", "type": "SCRAM-SHA-512", "ca": "PEM"})
    assert auth == Auth("SASL_SSL", "SCRAM-SHA-512", "u", "p", "PEM")
    assert auth.options()["ssl.ca.pem"] == "PEM"
    assert "'p'" not in repr(auth)
    assert from_net({}, {}).options() == {"security.protocol": "PLAINTEXT"}
    assert from_net({"tls": {"enable": True}}, {}).options()["ssl.ca.location"] == "probe"
    with pytest.raises(BadSecret, match="user or password is missing"):
        from_net(NET, {"user": "u"})


def test_credentials_of_a_sink():
    data = {
        "protocol": b"SASL_SSL",
        "sasl.mechanism": b"SCRAM-SHA-512",
        "user": b"u",
        "password": b"p",
        "ca.crt": b"PEM",
    }
    assert from_secret(data) == Auth("SASL_SSL", "SCRAM-SHA-512", "u", "p", "PEM")
    assert from_secret(None) == Auth()
    with pytest.raises(BadSecret, match=r"needs the keys sasl\.mechanism, password"):
        from_secret({"protocol": b"SASL_SSL", "user": b"u"})
    with pytest.raises(BadSecret, match="saw 'tls'"):
        from_secret({"protocol": b"tls"})


SOURCE = {
    "apiVersion": "sources.knative.dev/v1beta1",
    "kind": "KafkaSource",
    "metadata": {"name": "xray-images", "namespace": "xraylab-1", "uid": "u-1", "generation": 2},
    "spec": {
        "bootstrapServers": ["a:9093", "b:9093"],
        "topics": ["xray-images"],
        "consumerGroup": "risk-assessment",
        "initialOffset": "earliest",
        "ordering": "unordered",
        "consumers": 2,
        "net": NET,
        "delivery": {"retry": 5, "backoffDelay": "PT0.5S"},
    },
}


def test_a_source_with_everything():
    settings = build_settings(SOURCE, "http://fn/", "http://dead/")
    assert settings.bootstrap == "a:9093,b:9093"
    assert not settings.ordered
    assert settings.consumers == 2
    assert Settings.from_json(settings.to_json()) == settings


def test_a_source_with_knatives_defaults():
    spec = {"bootstrapServers": ["a:1"], "topics": ["t"]}
    settings = build_settings({**SOURCE, "spec": spec}, "http://fn/", "")
    assert (settings.group, settings.initial_offset, settings.ordered) == ("knative-kafka-source-u-1", "latest", True)


@pytest.mark.parametrize("field", ["ordering", "initialOffset"])
def test_a_wrong_word_is_named(field):
    with pytest.raises(ValueError, match=f"spec.{field}"):
        build_settings({**SOURCE, "spec": {**SOURCE["spec"], field: "x"}}, "s", "")


def test_the_dispatcher_mounts_secrets_and_shows_none():
    body = dispatcher(SOURCE, build_settings(SOURCE, "http://fn/", ""), "image:1", "hash")
    pod = body["spec"]["template"]["spec"]
    paths = {s["secret"]["items"][0]["path"] for s in pod["volumes"][0]["projected"]["sources"]}
    assert paths == {"user", "password", "type", "ca"}
    assert body["spec"]["selector"]["matchLabels"].items() <= body["spec"]["template"]["metadata"]["labels"].items()
    assert deployment_name(SOURCE).startswith("kafkasource-xray-images-")
    assert selector("x") == "eventing.knative.dev/source=kafka-source-controller,eventing.knative.dev/sourceName=x"


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({}, False),
        ({"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, True),
        ({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 2}, False),
        ({"observedGeneration": 0, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}, False),
    ],
)
def test_available_means_the_newest_template_alone(status, found):
    assert available({"metadata": {"generation": 1}, "spec": {"replicas": 1}, "status": status}) is found


def test_ready_follows_the_worst_condition():
    good, bad, unknown = condition("A"), condition("B", "False", "Why", "words"), condition("C", "Unknown")
    assert ready([good]) == condition("Ready")
    assert ready([good, unknown, bad]) == condition("Ready", "False", "Why", "words")
    found = living_set(None, [good], ("C", "A"))
    assert [(c["type"], c["status"]) for c in found] == [("A", "True"), ("C", "Unknown"), ("Ready", "Unknown")]


@pytest.mark.parametrize(
    ("status", "url"),
    [
        ({"address": {"url": "http://x"}}, "http://x"),
        ({"addresses": [{"url": "http://y"}]}, "http://y"),
        ({}, ""),
        (None, ""),
    ],
)
def test_addresses_of_addressables(status, url):
    assert address({"status": status}) == url


def test_metrics_are_prometheus_text():
    metrics = Metrics("m")
    metrics.add("events_total", name='a"b')
    metrics.add("events_total", 2, name='a"b')
    metrics.set("lag", 5, topic="t")
    metrics.set("lag", 6, topic="gone")
    metrics.drop("lag", topic="gone")
    assert metrics.text() == (
        '# TYPE m_events_total counter\nm_events_total{name="a\\"b"} 3\n# TYPE m_lag gauge\nm_lag{topic="t"} 5\n'
    )
