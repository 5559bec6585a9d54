# SPDX-License-Identifier: GPL-3.0-or-later
"""CloudEvents from records and back, as Knative's data plane makes them."""

from __future__ import annotations

import json
import struct

import pytest
from eventing_kafka.cloudevents import (
    Event,
    NotACloudEvent,
    Record,
    error_extensions,
    from_http,
    from_record,
    http_headers,
    record_of,
    timestamp,
)


def record(value=b"{}", key=None, headers=()):
    return Record("xray-images", 2, 17, 1795521580104, key, value, tuple(headers))


def event_of(rec, key_type="string"):
    return from_record(rec, "xraylab-1", "xray-images", key_type)


def test_a_plain_record_becomes_knatives_kafka_event():
    event = event_of(record(b'{"Records":[]}', "xray-source/a b é".encode()))
    assert event.data == b'{"Records":[]}'
    assert event.attributes == {
        "specversion": "1.0",
        "id": "partition:2/offset:17",
        "source": "/apis/v1/namespaces/xraylab-1/kafkasources/xray-images#xray-images",
        "type": "dev.knative.kafka.event",
        "subject": "partition:2#17",
        "time": "2026-11-24T11:59:40.104Z",
        "partitionkey": "xray-source/a b é",
        "key": "xray-source/a b é",
    }


def test_record_headers_become_extensions_and_the_content_type_the_datas():
    event = event_of(record(headers=[("Content-Type", b"Application/JSON"), ("X-Trace_1", b"t")]))
    assert event.attributes["datacontenttype"] == "application/json"
    assert event.attributes["kafkaheaderxtrace1"] == "t"
    assert http_headers(event)["Content-Type"] == "application/json"


def test_no_content_type_is_made_up():
    assert "Content-Type" not in http_headers(event_of(record()))


@pytest.mark.parametrize(
    ("key", "key_type", "text"),
    [
        (struct.pack(">i", -5), "int", "-5"),
        (struct.pack(">d", 0.5), "float", "0.5"),
        (b"abc", "int", "abc"),
        (b"\x00\xff", "byte-array", "AP8="),
        (b"\xff", "string", "\ufffd"),
    ],
)
def test_keys_by_the_key_type_label(key, key_type, text):
    assert event_of(record(key=key), key_type).attributes["key"] == text


def test_a_cloudevent_record_passes_through():
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"7"),
        ("ce_source", b"/s"),
        ("ce_type", b"t"),
        ("ce_x", "é".encode()),
    ]
    event = event_of(record(b"data", headers=[*headers, ("content-type", b"text/plain")]))
    assert event == Event(
        {"specversion": "1.0", "id": "7", "source": "/s", "type": "t", "x": "é", "datacontenttype": "text/plain"},
        b"data",
    )


def test_a_structured_record_passes_through():
    body = {"specversion": "1.0", "id": "7", "source": "/s", "type": "t", "data": {"a": 1}, "n": 5}
    event = event_of(record(json.dumps(body).encode(), headers=[("content-type", b"application/cloudevents+json")]))
    assert event.attributes == {"specversion": "1.0", "id": "7", "source": "/s", "type": "t", "n": "5"}
    assert json.loads(event.data) == {"a": 1}


def test_a_broken_cloudevent_is_a_record_like_any_other():
    assert event_of(record(headers=[("ce_specversion", b"1.0")])).attributes["type"] == "dev.knative.kafka.event"
    assert event_of(record(b"x", headers=[("content-type", b"application/cloudevents+json")])).data == b"x"


def test_http_and_back_keeps_every_character():
    event = event_of(record(b"d", 'b/a "b"% é\n雪'.encode()))
    headers = http_headers(event)
    assert all(c.isascii() and c.isprintable() for v in headers.values() for c in v)
    assert from_http(headers.items(), b"d") == event


def test_http_without_the_required_attributes_is_refused():
    with pytest.raises(NotACloudEvent, match="missing specversion, id, source, type"):
        from_http([("Content-Type", "application/json")], b"{}")


def test_a_dead_letter_in_kafka_carries_the_error():
    letter = event_of(record(b"d", b"k")).extended(error_extensions("http://fn/", 422, b'{"error":"x"}'))
    key, value, headers = record_of(letter)
    found = dict(headers)
    assert (key, value) == (b"k", b"d")
    assert found["ce_knativeerrordest"] == b"http://fn/"
    assert found["ce_knativeerrorcode"] == b"422"
    assert found["ce_knativeerrordata"] == b"eyJlcnJvciI6IngifQ=="


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("u",), {"knativeerrordest": "u"}),
        (("u", 500, b""), {"knativeerrordest": "u", "knativeerrorcode": "500"}),
        (
            ("u", 422, None, [("Kne-Why", "w"), ("x", "y")]),
            {"knativeerrordest": "u", "knativeerrorcode": "422", "why": "w"},
        ),
    ],
)
def test_error_extensions(arguments, found):
    assert error_extensions(*arguments) == found


def test_error_data_is_cut_at_1024_bytes():
    assert len(error_extensions("u", 422, b"x" * 5000)["knativeerrordata"]) == 1368


def test_structured_sink_records_are_one_document():
    event = Event({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"}, b"\xff")
    _key, value, headers = record_of(event, structured=True)
    assert json.loads(value)["data_base64"] == "/w=="
    assert headers[0][0] == "content-type"
    assert event_of(record(value, headers=headers)) == event


def test_time_is_utc_with_milliseconds():
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"
