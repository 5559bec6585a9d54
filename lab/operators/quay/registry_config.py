# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of Debian's registry, and the key that its tokens are signed with. Pure but for randomness."""

from __future__ import annotations

import datetime
import ipaddress
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .bundle import Wanted, storage

ISSUER = "quay"


def registry_yaml(wanted: Wanted, secret: str) -> str:
    """Only with a token that this registry's API has signed does anyone get at an image."""
    token = {
        "realm": f"https://{wanted.hostname}/v2/auth",
        "service": wanted.hostname,
        "issuer": ISSUER,
        "rootcertbundle": "/conf/stack/token.crt",
    }
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": storage(wanted) | {"delete": {"enabled": True}},
        # Clients come through the API's process: what it tells them must hold there, too.
        "http": {"addr": "127.0.0.1:5000", "relativeurls": True, "secret": secret},
        "auth": {"token": token},
    }
    return yaml.safe_dump(config, sort_keys=True)


def self_signed(name: str) -> tuple[str, str]:
    """A certificate for a host (or an address, or just a name) and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    host = name.rpartition(":")[0] or name
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(pem).decode(), private.decode()
