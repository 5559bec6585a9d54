# SPDX-License-Identifier: GPL-3.0-or-later
import base64
import json
from typing import Any

import pytest
from model_service.errors import Refused
from model_service.events import Study, read_event, read_records, read_study
from service_fakes import BINARY, record

DATA = {"Records": [record("a.jpeg")]}
STRUCTURED = {"content-type": "application/cloudevents+json; charset=UTF-8"}


def structured(**fields: Any) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "1", "source": "s", "type": "t"} | fields).encode()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (BINARY, json.dumps(DATA).encode()),
        (BINARY | {"content-type": "application/json"}, json.dumps(DATA).encode()),
        (STRUCTURED, structured(data=DATA)),
        (STRUCTURED, structured(data=json.dumps(DATA))),
        (STRUCTURED, structured(data_base64=base64.b64encode(json.dumps(DATA).encode()).decode())),
    ],
    ids=["binary", "binary with a type", "structured", "data as text", "data as Base64"],
)
def test_reads_each_form_of_a_cloud_event(headers: dict[str, str], body: bytes) -> None:
    assert read_event(headers, body) == DATA


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({}, b"{}", "no header ce-specversion, ce-type, ce-source, ce-id"),
        (BINARY | {"ce-specversion": "0.3"}, b"{}", "specversion 1.0, got '0.3'"),
        (BINARY, b"\xff\xfe", "2 bytes that are not"),
        (BINARY, b"[" * 100_000, "100000 bytes that are not"),
        (STRUCTURED, b"[]", "got list"),
        (STRUCTURED, structured(data_base64="*"), "not Base64"),
        (STRUCTURED, structured(data_base64=7), "not Base64"),
        ({"content-type": "application/cloudevents-batch+json"}, b"[]", "cloudevents-batch"),
    ],
)
def test_refuses_what_is_no_cloud_event(headers: dict[str, str], body: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        read_event(headers, body)


def test_the_test_event_of_s3_has_no_records() -> None:
    assert read_records({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}) == []


@pytest.mark.parametrize("data", [None, [], "x", 7, {}, {"Records": None}, {"Records": {}}])
def test_refuses_data_without_records(data: Any) -> None:
    with pytest.raises(Refused, match="Records"):
        read_records(data)


KEYS = [
    "a.jpeg",
    "demo_Barbara Campbell_5798_1962-07-16.jpeg",
    'ward "3"/o\'neil+1%20.png',
    "Zürich/胸部 é.jpg",
    "/a//b/../c.png",
]


@pytest.mark.parametrize("key", KEYS)
def test_ceph_sends_keys_as_they_are(key: str) -> None:
    assert read_study(record(key)) == Study("xray-source", key, "e1")


@pytest.mark.parametrize(
    ("sent", "key"),
    [("a+b%2Bc.jpeg", "a b+c.jpeg"), ("%E8%83%B8%2F%22x%22.png", '胸/"x".png'), ("plain.png", "plain.png")],
)
def test_aws_sends_keys_encoded(sent: str, key: str) -> None:
    study = read_study(record(sent, eventSource="aws:s3", eventName="s3:ObjectCreated:Put"))
    assert study is not None
    assert study.key == key


def test_an_identity_prefers_the_version() -> None:
    entry = {"key": "k", "eTag": '"e2"', "versionId": "v7"}
    study = read_study(record("k", s3={"bucket": {"name": "b"}, "object": entry}))
    assert study == Study("b", "k", "e2", "v7")
    assert study is not None
    assert study.name == "b/k@v7"


@pytest.mark.parametrize(
    "name", ["ObjectRemoved:Delete", "s3:ObjectRemoved:Delete", "s3:TestEvent", "ObjectSynced:Create"]
)
def test_other_happenings_announce_no_study(name: str) -> None:
    assert read_study(record("k", eventName=name)) is None


@pytest.mark.parametrize(
    "bad",
    [
        None,
        [],
        {},
        {"eventName": 7},
        record("k", s3=None),
        record("k", s3={"bucket": {"name": "b"}, "object": {}}),
        record(""),
        record("k", bucket=""),
        record("k", etag=["e"]),  # type: ignore[arg-type]
        record(7),  # type: ignore[arg-type]
        record("\ud800"),
        record("%ff", eventSource="aws:s3"),
    ],
)
def test_refuses_records_of_another_shape(bad: Any) -> None:
    with pytest.raises(Refused, match="S3 record"):
        read_study(bad)


def test_a_log_id_tells_studies_apart_and_shows_no_key() -> None:
    ids = {Study("b", key, etag).log_id for key in ("Barbara", "Carl") for etag in ("e1", "e2")}
    assert len(ids) == 4
    assert all(len(log_id) == 16 and log_id.isalnum() for log_id in ids)
