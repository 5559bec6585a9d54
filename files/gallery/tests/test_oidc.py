# SPDX-License-Identifier: GPL-3.0-or-later
"""Signing in at an OpenID Connect provider: the whole dance, with a provider that runs in a thread."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from rig import free_port, serving, settings_for


class Provider(BaseHTTPRequestHandler):
    """Gives one token for one code, to who knows the verifier of the challenge."""

    claims: dict[str, Any]
    asked: dict[str, str]

    def do_GET(self) -> None:
        here = f"http://127.0.0.1:{self.server.server_port}"
        self.answer({"issuer": here, "authorization_endpoint": f"{here}/authorize", "token_endpoint": f"{here}/token"})

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
        challenge = (
            base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        )
        right = (
            form["code"] == "code" and form["client_secret"] == "hush" and challenge == Provider.asked["code_challenge"]
        )
        token = base64.urlsafe_b64encode(json.dumps(Provider.claims).encode()).decode().rstrip("=")
        self.answer({"id_token": f"x.{token}.x"} if right else {"error": "invalid_grant"})

    def answer(self, content: dict[str, str]) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address(facility, tmp_path) -> Iterator[str]:
    facility.postgres.secret(tmp_path / "results")
    provider = HTTPServer(("127.0.0.1", free_port()), Provider)
    threading.Thread(target=provider.serve_forever, daemon=True).start()
    issuer = f"http://127.0.0.1:{provider.server_port}"
    more = {
        "sign_in": "oidc",
        "oidc_issuer": issuer,
        "oidc_client": "gallery",
        "public_url": "http://gallery.example",
        "clinician_groups": "radiology",
    }
    settings = settings_for(tmp_path, **more)
    (settings.secrets / "oidc.secret").write_text("hush\n")
    with serving(settings, facility.buckets) as url:
        yield url
    provider.shutdown()


def begin(client: httpx.Client, groups: list[str], **change: object) -> str:
    """Goes to the provider and comes back with a code; returns the address that the provider sends the browser to."""
    answer = client.get("/sign-in?to=/studies")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    issuer = answer.headers["location"].partition("/authorize")[0]
    Provider.asked = asked
    Provider.claims = {
        "iss": issuer,
        "aud": "gallery",
        "sub": "17",
        "exp": time.time() + 60,
        "nonce": asked["nonce"],
        "preferred_username": "dora",
        "groups": groups,
    } | change
    assert asked["redirect_uri"] == "http://gallery.example/sign-in/answer"
    return f"/sign-in/answer?code=code&state={asked['state']}"


@pytest.mark.parametrize(("groups", "role"), [([], "De-identified view"), (["radiology"], "Clinician")])
def test_a_person_signs_in_at_the_provider(address, groups, role):
    with httpx.Client(base_url=address) as client:
        answer = client.get(begin(client, groups))
        assert (answer.status_code, answer.headers["location"]) == (303, "/studies")
        page = client.get("/studies").text
        assert "dora" in page
        assert role in page


def test_an_answer_that_was_not_asked_for_is_refused(address):
    with httpx.Client(base_url=address) as client, httpx.Client(base_url=address) as other:
        back = begin(client, [])
        assert other.get(back).status_code == 400
        assert client.get(back + "x").status_code == 400
        assert client.get(begin(client, [], nonce="another")).status_code == 403
        assert client.get("/api/newest").status_code == 401
