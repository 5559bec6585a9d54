# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _rgw_topics as topics

FIXTURES = Path(__file__).parent / "fixtures"
SECRET = "p%40ss-w0rd-long"
ENDPOINT = f"kafka://rgw:{SECRET}@kafka.example.com:9094"
OPTIONS = {
    **dict.fromkeys(topics.ATTRIBUTES),
    "push_endpoint": ENDPOINT, "persistent": True, "use_ssl": True, "ca_location": "/etc/ceph/kafka-ca.crt",
    "kafka_ack_level": "broker", "mechanism": "SCRAM-SHA-512", "opaque_data": 'a b&c "é"',
}  # fmt: skip


def stored(name="rgw_topic.xml"):
    return topics.read_topic(ElementTree.fromstring((FIXTURES / name).read_text()))


def compare(**changed):
    return topics.compare(stored()[1], topics.wanted_attributes({**OPTIONS, **changed}))


def test_what_rgw_shows_is_read():
    arn, attributes = stored()
    assert arn == "arn:aws:sns:default::fixture"
    assert attributes == topics.wanted_attributes(OPTIONS)


def test_the_same_topic_is_not_written_again():
    assert not compare().must_write(always=False)
    assert not compare().must_write(always=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"push_endpoint": ENDPOINT.replace("9094", "9095")},
        {"push_endpoint": ENDPOINT.replace(SECRET, "another")},
        {"persistent": False},
        {"use_ssl": None},
        {"verify_ssl": False},
        {"kafka_ack_level": "none"},
        {"mechanism": None},
        {"ca_location": None},
        {"opaque_data": None},
        {"time_to_live": 60},
    ],
)
def test_any_difference_is_written(changed):
    assert compare(**changed).must_write(always=False)


@pytest.mark.parametrize("same", [{"verify_ssl": True}, {"kafka_ack_level": None}, {"cloudevents": False}])
def test_what_rgw_does_anyway_is_no_difference(same):
    assert not compare(**same).must_write(always=False)


def test_a_changed_password_is_seen_and_not_shown():
    difference = compare(push_endpoint=ENDPOINT.replace(SECRET, "another-secret"))
    assert difference.login == "changed"
    assert difference.before == difference.after
    shown = repr(difference) + json.dumps(topics.describe("fixture", *stored()))
    assert not any(secret in shown for secret in (SECRET, "p@ss-w0rd-long", "another-secret"))


@pytest.mark.parametrize("shown", ["kafka://rgw:****@kafka.example.com:9094", "kafka://rgw@kafka.example.com:9094"])
def test_a_password_that_rgw_hides_counts_as_unchanged_unless_asked(shown):
    difference = topics.compare({**stored()[1], "push-endpoint": shown}, topics.wanted_attributes(OPTIONS))
    assert difference.login == "hidden"
    assert not difference.must_write(always=False)
    assert difference.must_write(always=True)


def test_a_topic_without_attributes_has_rgws_defaults():
    arn, attributes = stored("rgw_topic_bare.xml")
    wanted = {**dict.fromkeys(topics.ATTRIBUTES), "push_endpoint": "http://127.0.0.1:9/x", "persistent": False}
    assert arn.endswith(":bare")
    assert not topics.compare(attributes, topics.wanted_attributes(wanted)).must_write(always=False)


@pytest.mark.parametrize(
    ("endpoint", "shown", "password"),
    [
        ("kafka://h:1", "kafka://h:1", None),
        ("kafka://u@h:1", "kafka://u@h:1", None),
        ("kafka://u:p@h:1", "kafka://u:********@h:1", "p"),
        ("http://u:p:/@x@h:1/b:2/t", "http://u:********@h:1/b:2/t", "p:/@x"),
        ("amqps://u:@h", "amqps://u:********@h", ""),
    ],
)
def test_a_password_is_split_off(endpoint, shown, password):
    assert topics.split_password(endpoint) == (shown, password)


def test_a_topic_is_described_by_the_modules_own_options():
    assert topics.describe("fixture", *stored()) == {
        "name": "fixture",
        "arn": "arn:aws:sns:default::fixture",
        "push_endpoint": "kafka://rgw:********@kafka.example.com:9094",
        "persistent": True,
        "kafka_ack_level": "broker",
        "mechanism": "SCRAM-SHA-512",
        "use_ssl": True,
        "verify_ssl": True,
        "ca_location": "/etc/ceph/kafka-ca.crt",
        "opaque_data": 'a b&c "é"',
    }
