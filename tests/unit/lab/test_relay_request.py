# SPDX-License-Identifier: GPL-3.0-or-later
"""What RGW's notification request says."""

from __future__ import annotations

import base64
import json

import pytest
from relay.request import BadRequest, Login, hold, parse_login, parse_path, parse_records


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/10.250.0.1:31000/xray-images", ("10.250.0.1:31000", "xray-images")),
        ("/a.svc:9093,b.svc:9093/T_1.x/", ("a.svc:9093,b.svc:9093", "T_1.x")),
        ("/10.250.0.1%3A31000/xray-images", ("10.250.0.1:31000", "xray-images")),
        ("/[::1]:9093/t", ("[::1]:9093", "t")),
    ],
)
def test_path(path, found):
    assert parse_path(path) == found


@pytest.mark.parametrize("path", ["/", "/topic", "/host/topic", "/h:1/a/b", "/h:1/a%20b", "/h:1/..", "/h:1;x/t"])
def test_wrong_paths_are_told_the_form(path):
    with pytest.raises(BadRequest, match=r"expected POST http://<user>:<password>@<relay>/<bootstrap host:port>"):
        parse_path(path)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_login_and_its_words_hide_the_password():
    login = parse_login("h:1", basic("rgw:p:w é"))
    assert login == Login("h:1", "rgw", "p:w é")
    assert "p:w" not in repr(login)


@pytest.mark.parametrize("header", [None, "", "Bearer x", "Basic ???", basic("rgw"), basic(":x"), basic("rgw:")])
def test_no_usable_login_is_401(header):
    with pytest.raises(BadRequest) as error:
        parse_login("h:1", header)
    assert error.value.status == 401


def test_one_kafka_record_per_s3_record_with_the_objects_path_as_key():
    records = [
        {"eventId": str(i), "s3": {"bucket": {"name": "b"}, "object": {"key": k}}}
        for i, k in enumerate(['a b+é"', "2"])
    ]
    found = parse_records(json.dumps({"Records": records}).encode())
    assert [key for key, _ in found] == ['b/a b+é"', "b/2"]
    assert [json.loads(value) for _, value in found] == [{"Records": [r]} for r in records]


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b"{}", b'{"Records":[{}]}', b'{"Records":5}'])
def test_no_s3_event_is_a_bad_request(body):
    with pytest.raises(BadRequest, match="expected an S3 event"):
        parse_records(body)


def test_a_failed_request_is_held_for_the_rest_of_the_time():
    assert hold(10, 12, 5) == 3
    assert hold(10, 20, 5) == 0
