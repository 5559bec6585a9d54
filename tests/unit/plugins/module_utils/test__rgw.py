# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

pytest.importorskip("requests")
pytest.importorskip("botocore")
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _rgw as rgw

FIXTURES = Path(__file__).parent / "fixtures"


def gateway(url="https://127.0.0.1:1", **options):
    return rgw.Gateway(rgw.Endpoint(url, "AK", "very-secret", **options), timeout=1)


@pytest.mark.parametrize(
    "url", ["127.0.0.1:7480", "ftp://host", "https://", "https://host/path", "https://host?x=1", ""]
)
def test_an_address_that_cannot_work_is_refused(url):
    with pytest.raises(rgw.RgwError, match="must look like https://host:port"):
        rgw.Endpoint(url, "AK", "SK")


def test_a_ca_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(rgw.RgwError, match=r"ca_bundle must be a readable file"):
        rgw.Endpoint("https://host", "AK", "SK", str(tmp_path / "none.crt"))


def test_an_endpoint_does_not_show_its_secret():
    assert "very-secret" not in repr(gateway().endpoint)


def test_a_refused_connection_tells_what_where_and_why():
    with pytest.raises(rgw.RgwError) as caught:
        gateway().admin("read user u", "GET", "user", {"uid": "u"})
    assert str(caught.value) == (
        "Could not read user u at https://127.0.0.1:1: no connection: Connection refused. "
        "Check that endpoint_url (http or https, host, port) is right and that RGW runs there."
    )


@pytest.mark.parametrize(
    ("name", "code"),
    [("rgw_no_such_user.json", "NoSuchUser"), ("rgw_no_such_topic.xml", "NoSuchEntity"), ("rgw_user.json", "")],
)
def test_the_code_of_an_error_answer_is_read(name, code):
    assert rgw.error_code((FIXTURES / name).read_bytes()) == code


@pytest.mark.parametrize("body", [b"", b"<html>", b"not found", b"[]", b"\xff\xfe"])
def test_an_answer_that_is_not_rgws_has_no_code(body):
    assert rgw.error_code(body) == ""


@pytest.mark.parametrize(
    ("api", "code", "words"),
    [
        ("admin", "AccessDenied", "users=*"),
        ("sns", "AccessDenied", "must start with https"),
        ("s3", "AccessDenied", "policy must allow"),
        ("s3", "SignatureDoesNotMatch", "check secret_key"),
        ("admin", "InvalidAccessKeyId", "check access_key"),
        ("s3", "", "RGW's own address"),
        ("s3", "SomethingNew", ""),
    ],
)
def test_advice_fits_the_error(api, code, words):
    assert words in rgw.advice(api, code)


def test_a_listing_is_read_with_its_names_unescaped():
    listing = ElementTree.fromstring((FIXTURES / "rgw_listing.xml").read_text())
    entry = listing.find("s3:Contents", rgw.XML)
    assert rgw.read_entry(entry) == rgw.Stored(
        "ward 3/é\"'+&#?.jpg", "5d41402abc4b2a76b9719d911017c592", "2026-11-24T12:09:29.899Z"
    )


def test_paths_and_queries_are_escaped_as_they_are_signed():
    assert rgw.object_path("b", "a b/é+?#&.jpg") == "/b/a%20b/%C3%A9%2B%3F%23%26.jpg"
    assert rgw.encode({"notification": None}) == "?notification"
    assert rgw.encode({"uid": "a b&c", "caps": None}) == "?uid=a%20b%26c&caps"
    assert rgw.encode({}) == ""
