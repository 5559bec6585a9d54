# SPDX-License-Identifier: GPL-3.0-or-later
"""Quay's API as it answers: what is made of good and bad answers."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._quay import NotThere, Quay, QuayError


class Page(BaseHTTPRequestHandler):
    """Answers from `answers` by method and path; `seen` has the headers of each request."""

    answers: ClassVar[dict] = {}
    seen: ClassVar[dict] = {}

    def log_message(self, *_args):
        pass

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        request = f"{self.command} {self.path}"
        Page.seen[request] = dict(self.headers)
        code, told = self.answers.get(request, (404, {"error_message": "Not Found"}))
        body = told.encode() if isinstance(told, str) else json.dumps(told).encode()
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer  # noqa: N815


@pytest.fixture
def quay():
    Page.answers, Page.seen = {"GET /csrf_token": (200, {"csrf_token": "C"})}, {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Quay(f"http://127.0.0.1:{server.server_port}/", None)
    server.shutdown()


SIGN_IN, INITIALIZE = "POST /api/v1/signin", "POST /api/v1/user/initialize"


@pytest.mark.parametrize(
    ("answer", "known"), [((200, {"success": True}), True), ((403, {"invalidCredentials": True}), False)]
)
def test_signing_in_says_whether_the_user_is_known(quay, answer, known):
    Page.answers[SIGN_IN] = answer
    assert quay.sign_in("owner", "password") is known
    assert Page.seen[SIGN_IN]["X-CSRF-Token"] == "C"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, {"message": "Cannot initialize user in a non-empty database"}), "as owner: Quay has users already"),
        ((404, {"error_message": "Not Found"}), "answered 404 Not Found.*FEATURE_USER_INITIALIZE: true"),
    ],
)
def test_why_there_is_no_first_user_is_said_with_the_cure(quay, answer, words):
    Page.answers[INITIALIZE] = answer
    with pytest.raises(QuayError, match=words):
        quay.initialize("owner", "password", "o@example.com")


def test_a_first_user_is_made(quay):
    Page.answers[INITIALIZE] = (200, {"username": "owner"})
    quay.initialize("owner", "password", "o@example.com")
    assert INITIALIZE in Page.seen


@pytest.mark.parametrize(
    "answer",
    [(404, {"error_message": "Not Found"}), (400, {"message": "Could not find robot with specified username"})],
)
def test_what_is_not_there_is_told_from_what_is_wrong(quay, answer):
    Page.answers["GET /api/v1/x"] = answer
    with pytest.raises(NotThere):
        quay.get("read x", "/api/v1/x")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((400, {"error_message": "Invalid role"}), "Could not read x at http.*: Quay answered 400 Invalid role"),
        ((502, "<html>"), "answered 502 <html>"),
        ((200, "<html>"), "got '<html>' instead of JSON"),
    ],
)
def test_a_bad_answer_is_told_in_quays_words(quay, answer, words):
    Page.answers["GET /api/v1/x"] = answer
    with pytest.raises(QuayError, match=words) as error:
        quay.get("read x", "/api/v1/x")
    assert not isinstance(error.value, NotThere)


def test_a_quay_that_is_not_there_is_named():
    with pytest.raises(QuayError, match=r"Could not begin a session at http://127.0.0.1:1: Connection refused"):
        Quay("http://127.0.0.1:1", None).sign_in("owner", "password")
