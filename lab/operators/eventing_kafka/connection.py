# SPDX-License-Identifier: GPL-3.0-or-later
"""How to reach a Kafka cluster: from a KafkaSource's or KafkaSink's secrets to librdkafka's options. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PROTOCOLS = ("PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL")


class BadSecret(Exception):
    """A key is missing or its value is of no use; the message names both."""


@dataclass(frozen=True)
class Auth:
    """Protocol and credentials; certificates and keys in PEM."""

    protocol: str = "PLAINTEXT"
    mechanism: str = ""
    user: str = ""
    password: str = ""
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def __repr__(self) -> str:
        return f"Auth({self.protocol}, {self.mechanism}, {self.user})"

    def options(self) -> dict[str, Any]:
        """librdkafka's options."""
        found: dict[str, Any] = {"security.protocol": self.protocol}
        if self.protocol.startswith("SASL"):
            found |= {"sasl.mechanism": self.mechanism, "sasl.username": self.user, "sasl.password": self.password}
        if self.protocol.endswith("SSL"):
            found |= {"ssl.ca.pem": self.ca} if self.ca else {"ssl.ca.location": "probe"}
            if self.certificate:
                found |= {"ssl.certificate.pem": self.certificate, "ssl.key.pem": self.key}
        return found


@dataclass(frozen=True)
class Reference:
    """A key of a Secret in the source's own namespace."""

    secret: str
    key: str


def net_references(net: Mapping[str, Any] | None) -> dict[str, Reference]:
    """The secretKeyRefs of spec.net by what they are for: user, password, type, ca, certificate, key."""
    net = net or {}
    sasl, tls = net.get("sasl") or {}, net.get("tls") or {}
    entries = {}
    if sasl.get("enable"):
        entries |= {"user": sasl.get("user"), "password": sasl.get("password"), "type": sasl.get("type")}
    if tls.get("enable"):
        entries |= {"ca": tls.get("caCert"), "certificate": tls.get("cert"), "key": tls.get("key")}
    found = {name: (entry or {}).get("secretKeyRef") for name, entry in entries.items()}
    return {name: Reference(ref["name"], ref["key"]) for name, ref in found.items() if ref}


def from_net(net: Mapping[str, Any] | None, values: Mapping[str, str]) -> Auth:
    """Auth of a KafkaSource; `values` are what its references point at. SASL without a type is PLAIN."""
    net = net or {}
    sasl, tls = bool((net.get("sasl") or {}).get("enable")), bool((net.get("tls") or {}).get("enable"))
    if sasl and not (values.get("user") and values.get("password")):
        raise BadSecret("spec.net.sasl is enabled, but user or password is missing or empty")
    protocol = ("SASL_" if sasl else "") + ("SSL" if tls else "PLAINTEXT")
    return Auth(
        protocol,
        (values.get("type") or "PLAIN").strip() if sasl else "",
        values.get("user", "").strip(),
        values.get("password", "").strip(),
        values.get("ca", ""),
        values.get("certificate", ""),
        values.get("key", ""),
    )


def from_secret(data: Mapping[str, bytes] | None) -> Auth:
    """Auth of a KafkaSink's secret, with the keys of control-plane/pkg/security/secret.go; no secret is plaintext."""
    if data is None:
        return Auth()
    values = {key: value.decode() for key, value in data.items()}
    protocol = values.get("protocol", "").strip()
    if protocol not in PROTOCOLS:
        raise BadSecret(f"expected the key protocol to be one of {', '.join(PROTOCOLS)}, saw {protocol!r}")
    if protocol.startswith("SASL"):
        missing = [key for key in ("sasl.mechanism", "user", "password") if not values.get(key, "").strip()]
        if missing:
            raise BadSecret(f"protocol {protocol} needs the keys {', '.join(missing)}")
    client_certificate = protocol == "SSL" and values.get("user.skip", "").strip() != "true"
    return Auth(
        protocol,
        values.get("sasl.mechanism", "").strip(),
        values.get("user", "").strip(),
        values.get("password", "").strip(),
        values.get("ca.crt", ""),
        values.get("user.crt", "") if client_certificate else "",
        values.get("user.key", "") if client_certificate else "",
    )
