# SPDX-License-Identifier: GPL-3.0-or-later
"""The S3 client on the wire, against a server that answers as RGW does."""

from collections.abc import Callable
from pathlib import Path

import pytest
from model_service.errors import Refused, TryLater
from model_service.events import Study
from model_service.settings import Settings
from model_service.store import Fetched, S3Store
from service_fakes import Server


@pytest.fixture
def connect(tmp_path: Path) -> Callable[[str], S3Store]:
    (tmp_path / "access_key").write_text("access\n")
    (tmp_path / "secret_key").write_text("secret\n")
    return lambda url: S3Store(Settings(s3_endpoint=url, s3_credentials=tmp_path, max_bytes=1000))


KEY = 'ward/../o\'neil "x"/Zürich 胸部+%20.jpeg'


def test_fetches_the_very_object_that_was_announced(server: Server, connect: Callable[[str], S3Store]) -> None:
    fetched = connect(server.url).fetch(Study("xray-source", KEY, "e1"))
    method, path, headers, _ = server.asked[0]
    assert (fetched.data, fetched.etag) == (b"pixels", "e1")
    assert (method, path, headers["if-match"]) == ("GET", f"/xray-source/{KEY}", '"e1"')
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=access/")


def test_fetches_the_version_that_was_announced(server: Server, connect: Callable[[str], S3Store]) -> None:
    connect(server.url).fetch(Study("b", "k", "e1", "v7"))
    assert server.asked[0][1] == "/b/k?versionId=v7"


def test_puts_an_object_with_its_type(server: Server, connect: Callable[[str], S3Store]) -> None:
    server.body = b""
    connect(server.url).put("b", KEY, b"{}", "application/json")
    method, path, headers, body = server.asked[0]
    assert "expect" not in headers
    assert (method, path, headers["content-type"], body) == ("PUT", f"/b/{KEY}", "application/json", b"{}")


def test_a_record_replaces_only_the_one_that_was_seen(server: Server, connect: Callable[[str], S3Store]) -> None:
    server.body, store = b"", connect(server.url)
    assert store.record("b", "a.json", b"{}", None)
    assert store.record("b", "a.json", b"{}", "e1")
    conditions = [(headers.get("if-none-match"), headers.get("if-match")) for _, _, headers, _ in server.asked]
    assert conditions == [("*", None), (None, "e1")]
    server.status, server.code = 412, "PreconditionFailed"
    assert not store.record("b", "a.json", b"{}", "e1")
    server.status, server.code = 409, "ConditionalRequestConflict"
    with pytest.raises(TryLater):
        store.record("b", "a.json", b"{}", "e1")


def test_an_earlier_record_may_be_missing_but_not_unreadable(server: Server, connect: Callable[[str], S3Store]) -> None:
    store = connect(server.url)
    assert store.recorded("b", "a.json") == Fetched(b"pixels", "e1")
    server.status, server.code = 404, "NoSuchKey"
    assert store.recorded("b", "a.json") is None
    server.status, server.code = 403, "AccessDenied"
    with pytest.raises(TryLater, match="Could not look for an earlier result: the object store answered 403"):
        store.recorded("b", "a.json")


def test_an_object_too_large_is_refused_unread(server: Server, connect: Callable[[str], S3Store]) -> None:
    server.content_length = 10**12
    with pytest.raises(Refused, match="at most 1000 bytes, got 1000000000000"):
        connect(server.url).fetch(Study("b", "k"))


@pytest.mark.parametrize(
    ("status", "code", "error", "reason"),
    [
        (404, "NoSuchKey", Refused, "no longer exists"),
        (412, "PreconditionFailed", Refused, "overwritten"),
        (403, "AccessDenied", TryLater, "403 AccessDenied"),
        (500, "InternalError", TryLater, "500 InternalError"),
        (503, "SlowDown", TryLater, "503 SlowDown"),
    ],
)
def test_answers_are_sorted(
    server: Server, connect: Callable[[str], S3Store], status: int, code: str, error: type[Exception], reason: str
) -> None:
    server.status, server.code = status, code
    with pytest.raises(error, match=reason):
        connect(server.url).fetch(Study("b", "k", "e0"))


def test_a_body_that_breaks_off_is_fetched_again_later(server: Server, connect: Callable[[str], S3Store]) -> None:
    server.content_length = 500
    with pytest.raises(TryLater):
        connect(server.url).fetch(Study("b", "k"))


def test_an_unreachable_store_is_tried_again_later(connect: Callable[[str], S3Store]) -> None:
    with pytest.raises(TryLater, match=r"EndpointConnectionError from http://127\.0\.0\.1:9"):
        connect("http://127.0.0.1:9").fetch(Study("b", "k"))


def test_a_name_that_s3_does_not_allow_is_refused(connect: Callable[[str], S3Store]) -> None:
    with pytest.raises(Refused, match="S3 allows no such"):
        connect("http://127.0.0.1:9").fetch(Study("no such bucket!", "k"))


def test_replaced_credentials_are_read_anew(server: Server, connect: Callable[[str], S3Store], tmp_path: Path) -> None:
    store = connect(server.url)
    server.status, server.code = 403, "InvalidAccessKeyId"
    with pytest.raises(TryLater):
        store.fetch(Study("b", "k"))
    (tmp_path / "access_key").write_text("renewed")
    server.status, server.code = 200, ""
    store.fetch(Study("b", "k"))
    assert "Credential=renewed/" in server.asked[-1][2]["authorization"]
