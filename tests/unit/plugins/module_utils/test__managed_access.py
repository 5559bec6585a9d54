# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _managed_access as access
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import Refusal

AGENTS = json.loads((Path(__file__).parent / "fixtures" / "agents.json").read_text())
CONFIG = {
    "clusters": [
        {"name": "one", "cluster": {"server": "https://one:6443", "certificate-authority": "/ca"}},
        {"name": "two", "cluster": {"server": "https://two:6443", "insecure-skip-tls-verify": True}},
    ],
    "users": [
        {"name": "a", "user": {"client-certificate": "/crt", "client-key": "/key"}},
        {"name": "b", "user": {"tokenFile": "/token"}},
        {"name": "c", "user": {"exec": {"command": "aws"}}},
    ],
    "contexts": [
        {"name": "first", "context": {"cluster": "one", "user": "a"}},
        {"name": "second", "context": {"cluster": "two", "user": "b"}},
        {"name": "third", "context": {"cluster": "two", "user": "c"}},
        {"name": "broken", "context": {"cluster": "nowhere", "user": "c"}},
    ],
    "current-context": "first",
}
FILES = {"/ca": b"authority", "/crt": b"certificate", "/key": b"key", "/token": b"t0ken\n"}


def carried(context: str | None, server: str | None = None) -> dict:
    return access.carrying(access.one_context(CONFIG, context), FILES.__getitem__, server)


@pytest.mark.parametrize("name", AGENTS["requests"])
def test_a_request_tells_whose_agent_it_is_for(name):
    assert access.agent_of(AGENTS["requests"][name]) == tuple(name.split(":"))


@pytest.mark.parametrize("text", [None, "", "!!", base64.b64encode(b"no request").decode()])
def test_what_is_no_agents_request_tells_nothing(text):
    assert access.agent_of(text) == ("", "")


@pytest.mark.parametrize("year", AGENTS["certificates"])
def test_a_certificate_tells_when_it_ends(year):
    assert access.certificate_expiry(AGENTS["certificates"][year]) == datetime(int(year), 5, 6, 7, 8, 9, tzinfo=UTC)


def test_no_certificate_never_ends():
    assert access.certificate_expiry("") is None


def token(claims: dict) -> str:
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"


def test_a_token_tells_when_it_ends():
    assert access.token_expiry(token({"exp": 1790000000})) == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize("text", [None, "sha256~abc", "a.b.c", token({"sub": "x"})])
def test_a_token_that_does_not_say_never_ends(text):
    assert access.token_expiry(text) is None


def test_the_hub_gets_one_context_alone_with_everything_in_it():
    config = carried(None)
    assert [entry["cluster"]["server"] for entry in config["clusters"]] == ["https://one:6443"]
    assert config["clusters"][0]["cluster"]["certificate-authority-data"] == base64.b64encode(b"authority").decode()
    assert config["users"][0]["user"] == {
        "client-certificate-data": base64.b64encode(b"certificate").decode(),
        "client-key-data": base64.b64encode(b"key").decode(),
    }
    assert "/ca" not in json.dumps(config)


def test_another_context_and_another_address_for_the_hub():
    config = carried("second", "https://outside:6443")
    assert config["clusters"][0]["cluster"] == {"server": "https://outside:6443", "insecure-skip-tls-verify": True}
    assert config["users"][0]["user"] == {"token": "t0ken"}


def test_a_command_cannot_go_to_the_hub():
    with pytest.raises(Refusal, match=r"from a command \(exec\), which the hub cannot run"):
        carried("third")


@pytest.mark.parametrize("name", ["nowhere", "broken"])
def test_what_a_kubeconfig_lacks_is_named(name):
    with pytest.raises(Refusal, match="nowhere, but it has not"):
        access.one_context(CONFIG, name)


def test_a_text_that_is_no_kubeconfig():
    with pytest.raises(Refusal, match="should have clusters, users and contexts"):
        access.one_context("hello", None)


def test_secrets_are_known():
    assert access.secrets_of(carried("second")) == ["t0ken"]
    assert access.secrets_of(carried(None)) == [base64.b64encode(b"key").decode()]
