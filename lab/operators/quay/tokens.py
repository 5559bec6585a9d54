# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks the registry, what they may do there, and the token that says so to Debian's registry."""

from __future__ import annotations

import base64
import json
import secrets
import time
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from .accounts import Accounts
from .registry_config import ISSUER

ACTIONS = {"read": {"pull"}, "write": {"pull", "push"}, "admin": {"pull", "push", "delete", "*"}}
LIFETIME = 3600  # seconds
Access = dict[str, str | list[str]]


class WrongCredentials(Exception):
    """Somebody says who they are, and it is not so."""


@dataclass(frozen=True)
class Client:
    """A robot of an organisation, a user (no organisation), or nobody in particular (no name)."""

    name: str = ""
    organization: str = ""

    @property
    def full_name(self) -> str:
        return f"{self.organization}+{self.name}" if self.organization else self.name


def identify(accounts: Accounts, authorization: str) -> Client:
    """The client behind a Basic authorization; without one, nobody in particular."""
    if not authorization:
        return Client()
    try:
        scheme, _, text = authorization.partition(" ")
        name, _, password = base64.b64decode(text).decode().partition(":")
    except ValueError:
        raise WrongCredentials("the authorization can't be read") from None
    organization, plus, short = name.partition("+")
    known = accounts.robot_signs_in(organization, short, password) if plus else accounts.user_signs_in(name, password)
    if scheme.lower() != "basic" or not known:
        who = "robot" if plus else "user"
        raise WrongCredentials(f"Could not find {who} with username: {name} and supplied password.")
    return Client(short, organization) if plus else Client(name)


def allowed(accounts: Accounts, client: Client, repository: str) -> set[str]:
    """What the client may do with organization/name."""
    organization, _, name = repository.partition("/")
    found = accounts.repository(organization, name)
    if found is None:
        return set()
    may = {"pull"} if found["visibility"] == "public" else set()
    if client.organization:
        role = accounts.role(organization, name, client.name) if client.organization == organization else None
        return may | ACTIONS.get(role or "", set())
    owner = (accounts.organization(organization) or {}).get("owner")
    return may | (ACTIONS["admin"] if client.name and client.name == owner else set())


def granted(accounts: Accounts, client: Client, scopes: list[str]) -> list[Access]:
    """Of each scope, such as repository:xraylab/gallery:pull,push, what the client may do."""
    found: list[Access] = []
    for scope in " ".join(scopes).split():
        kind, _, rest = scope.partition(":")
        name, _, wanted = rest.rpartition(":")
        actions = sorted(allowed(accounts, client, name) & set(wanted.split(","))) if kind == "repository" else []
        if actions:
            found.append({"type": "repository", "name": name, "actions": actions})
    return found


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Signer:
    """Makes tokens that the registry takes, JSON Web Tokens by ES256: it knows this certificate."""

    def __init__(self, certificate: str, key: str) -> None:
        private = serialization.load_pem_private_key(key.encode(), password=None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        self._key = private
        der = x509.load_pem_x509_certificate(certificate.encode()).public_bytes(serialization.Encoding.DER)
        self._header = {"alg": "ES256", "typ": "JWT", "x5c": [base64.b64encode(der).decode()]}

    def token(self, service: str, client: Client, access: list[Access]) -> str:
        now = int(time.time())
        claims = {
            "iss": ISSUER, "sub": client.full_name, "aud": service, "access": access, "jti": secrets.token_hex(8),
            "iat": now, "nbf": now - 10, "exp": now + LIFETIME,
        }  # fmt: skip
        text = ".".join(encoded(json.dumps(part).encode()) for part in (self._header, claims))
        numbers = decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{encoded(b''.join(number.to_bytes(32, 'big') for number in numbers))}"
