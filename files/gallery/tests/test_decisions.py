# SPDX-License-Identifier: GPL-3.0-or-later
"""Pure decisions: settings, who someone is, what a backlog was, which claims are taken."""

import time

import pytest
from gallery import passwords
from gallery.figures import backlog
from gallery.oidc import check_claims
from gallery.pages import seconds, size
from gallery.people import People
from gallery.sessions import Signer
from gallery.settings import Settings, SettingsError, read_settings
from rig import settings_for
from starlette.requests import Request

OIDC = {
    "sign_in": "oidc",
    "oidc_issuer": "https://sso.example",
    "oidc_client": "gallery",
    "public_url": "https://gallery.example",
}
CLAIMS = {"iss": "https://sso.example", "aud": "gallery", "exp": time.time() + 3600, "nonce": "n", "sub": "1"}


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, "GALLERY_S3_ENDPOINT is not set"),
        ({"GALLERY_S3_ENDPOINT": "store"}, "expected a URL"),
        ({"GALLERY_PORT": "x"}, "GALLERY_PORT: expected int"),
        ({"GALLERY_COOKIE_SECURE": "yes"}, "GALLERY_COOKIE_SECURE: expected bool"),
        ({"GALLERY_SIGN_IN": "open"}, "expected local, header, oidc"),
        ({"GALLERY_SIGN_IN": "header"}, "anyone could say who they are"),
        ({"GALLERY_SIGN_IN": "header", "GALLERY_TRUSTED_PROXIES": "here"}, "expected networks"),
        ({"GALLERY_SIGN_IN": "oidc"}, "GALLERY_OIDC_ISSUER is empty"),
    ],
)
def test_a_wrong_setting_is_named(environment, words):
    given = {"GALLERY_S3_ENDPOINT": "https://store"} | environment if environment else {}
    with pytest.raises(SettingsError, match=words):
        read_settings(given)


@pytest.mark.parametrize(
    ("address", "headers", "name", "clinician"),
    [
        ("10.0.0.7", {"x-forwarded-user": "ann"}, "ann", False),
        ("10.0.0.7", {"x-forwarded-user": "dr.who"}, "dr.who", True),
        ("10.0.0.7", {"x-forwarded-user": "ann", "x-forwarded-groups": "staff, radiology"}, "ann", True),
        ("10.0.0.7", {}, None, False),
        ("192.0.2.1", {"x-forwarded-user": "dr.who", "x-forwarded-for": "10.0.0.7"}, None, False),
    ],
)
def test_only_the_proxy_may_say_who_someone_is(tmp_path, address, headers, name, clinician):
    more = {
        "sign_in": "header",
        "trusted_proxies": "10.0.0.0/8,::1",
        "clinicians": "dr.who",
        "clinician_groups": "radiology",
    }
    people = People(settings_for(tmp_path, **more), Signer(b"k" * 32))
    raw = [(key.encode(), value.encode()) for key, value in headers.items()]
    person = people.of(Request({"type": "http", "headers": raw, "client": (address, 1)}))
    assert (person and person.name, bool(person and person.clinician)) == (name, clinician)


def test_a_header_means_nothing_where_people_sign_in_here(tmp_path):
    people = People(settings_for(tmp_path), Signer(b"k" * 32))
    headers = [(b"x-forwarded-user", b"clara")]
    assert people.of(Request({"type": "http", "headers": headers, "client": ("127.0.0.1", 1)})) is None


def test_a_signature_ends_with_its_time_and_its_key():
    signer = Signer(b"k" * 32)
    assert signer.read(signer.sign({"name": "a"}, 60))["name"] == "a"
    assert signer.read(signer.sign({"name": "a"}, -1)) is None
    assert Signer(b"x" * 32).read(signer.sign({"name": "a"}, 60)) is None


def test_passwords_are_salted_and_match_themselves_only():
    first, second = passwords.hashed("secret"), passwords.hashed("secret")
    assert first != second
    assert "secret" not in first
    assert passwords.matches("secret", first)
    assert not passwords.matches("Secret", first)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({}, ""),
        ({"iss": "https://other"}, "iss"),
        ({"aud": "other"}, "aud"),
        ({"aud": ["gallery", "b"]}, "azp"),
        ({"exp": 1}, "exp"),
        ({"aud": ["gallery", "b"], "azp": "gallery"}, ""),
        ({"nonce": "m"}, "nonce"),
        ({"sub": ""}, "sub"),
    ],
)
def test_a_token_that_is_not_for_us_is_refused(change, wrong):
    settings = Settings("https://store", **OIDC)
    if wrong:
        with pytest.raises(Exception, match=f"cannot be accepted: {wrong}"):
            check_claims(CLAIMS | change, settings, "n")
    else:
        check_claims(CLAIMS | change, settings, "n")


def test_the_backlog_is_told_from_what_waits_now():
    assert backlog(2, received=[3, 0, 4], recorded=[1, 2, 2]) == [2, 0, 2]
    assert backlog(0, received=[0, 1], recorded=[5, 1]) == [0, 0]


@pytest.mark.parametrize(("value", "text"), [(None, "–"), (0.0421, "42 ms"), (1.25, "1.2 s"), (150, "2 min")])
def test_seconds_in_words(value, text):
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "–"), (900, "900 B"), (1500, "1.5 kB"), (64_000, "64 kB"), (3.2e9, "3.2 GB")]
)
def test_sizes_in_words(value, text):
    assert size(value) == text
