# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _dead_letters as dead_letters
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._dead_letters import Message


def s3_event(*keys):
    records = [{"s3": {"bucket": {"name": "xray-source"}, "object": {"key": key, "eTag": "e1"}}} for key in keys]
    return json.dumps({"Records": records}).encode()


def message(answer, value=None, offset=7, timestamp=1_795_000_000_123):
    headers = {
        "ce_id": "partition:0/offset:1", "ce_type": "dev.knative.kafka.event", "ce_knativeerrorcode": "422",
        "ce_knativeerrordata": answer,
    }  # fmt: skip
    return Message(headers, s3_event("a b+é.txt") if value is None else value, timestamp, 0, offset)


def encoded(answer):
    return base64.b64encode((answer if isinstance(answer, str) else json.dumps(answer)).encode()[:1024]).decode()


def test_a_letter_tells_which_object_and_why():
    (letter,) = dead_letters.read_letters(message(encoded({"error": "No image.", "records": [{"error": "No image."}]})))
    assert (letter.bucket, letter.key, letter.etag) == ("xray-source", "a b+é.txt", "e1")
    assert (letter.reason, letter.code, letter.offset) == ("No image.", "422", 7)
    assert letter.time == "2026-11-18T11:06:40.123Z"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (encoded("plain words"), "plain words"),
        ("not base64!", "not base64!"),
        (encoded({"error": "Cut " + "x" * 2000}), "Cut " + "x" * 1009),
        (encoded({"error": 'He said "no"\n', "records": ["x" * 2000]}), 'He said "no"\n'),
        (encoded({"problem": 1}), '{"problem": 1}'),
        ("", "No reason was given."),
    ],
)
def test_any_answer_becomes_a_reason(answer, reason):
    assert dead_letters.read_letters(message(answer))[0].reason == reason


def test_each_record_of_an_event_has_its_own_reason():
    answer = {
        "error": "No image.",
        "records": [{"outcome": "assessed", "error": ""}, {"outcome": "refused", "error": "No image."}],
    }
    letters = dead_letters.read_letters(message(encoded(answer), s3_event("good.jpg", "bad.txt")))
    assert [(letter.key, letter.reason) for letter in letters] == [
        ("good.jpg", "This record was not at fault; another one of its event was."),
        ("bad.txt", "No image."),
    ]


@pytest.mark.parametrize("value", [b"", b"\xff", b"{}", b'{"Records": 1}', b'{"Records": [{}]}'])
def test_an_event_that_cannot_be_read_is_a_letter_without_an_object(value):
    (letter,) = dead_letters.read_letters(message(encoded("bad event"), value))
    assert (letter.bucket, letter.key, letter.reason) == ("", "", "bad event")


def test_letters_of_one_object_and_reason_are_one_row():
    letters = [
        letter
        for answer, offset, timestamp in (("a", 1, 1000), ("b", 2, 2000), ("a", 3, 3000))
        for letter in dead_letters.read_letters(message(encoded(answer), offset=offset, timestamp=timestamp))
    ]
    rows = dead_letters.summarize(letters)
    assert [(row["reason"], row["count"], row["offset"]) for row in rows] == [("b", 1, 2), ("a", 2, 3)]
    assert rows[1]["first_time"] == "1970-01-01T00:00:01.000Z"
    assert rows[1]["last_time"] == "1970-01-01T00:00:03.000Z"
