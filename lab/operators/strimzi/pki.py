# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificate authorities and the certificates they sign. No Kubernetes here: PEM in, PEM out."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# The lab never renews: Strimzi's own certificates live a year and are rolled by its operator.
LIFETIME = timedelta(days=3650)
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key (PKCS#8), both PEM."""

    certificate: bytes
    key: bytes

    @property
    def keystore(self) -> bytes:
        """Both in one file: what Kafka calls a PEM keystore."""
        return self.key + self.certificate


def password(length: int = 32) -> str:
    """A random password of letters and digits (Strimzi's default length)."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def new_key() -> bytes:
    """A P-256 private key as PKCS#8 PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def authority(common_name: str, key: bytes | None = None) -> Pair:
    """A self-signed authority, over a given key or a new one."""
    key = key or new_key()
    private = serialization.load_pem_private_key(key, None)
    subject = _name(common_name)
    builder = _builder(subject, subject, private.public_key()).add_extension(x509.BasicConstraints(True, 0), True)
    certificate = builder.sign(private, hashes.SHA256())  # type: ignore[arg-type]
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), key)


def issue(ca: Pair, common_name: str, hosts: list[str], organization: str = "io.strimzi") -> Pair:
    """A certificate for server and client use; `hosts` are DNS names or IP addresses."""
    key = new_key()
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    public = serialization.load_pem_private_key(key, None).public_key()
    builder = _builder(_name(common_name, organization), issuer.subject, public)
    builder = builder.add_extension(x509.BasicConstraints(False, None), True)
    builder = builder.add_extension(
        x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(h) for h in hosts]), False)
    private = serialization.load_pem_private_key(ca.key, None)
    certificate = builder.sign(private, hashes.SHA256())  # type: ignore[arg-type]
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), key)


def serves(pair: Pair, ca: Pair, hosts: list[str]) -> bool:
    """Whether the certificate was signed by this authority for exactly these hosts and is good for another month."""
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    try:
        certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(ca.certificate))
    except Exception:  # any failure of the check means: issue a new one
        return False
    return set(alternatives(certificate)) == set(hosts) and certificate.not_valid_after_utc > datetime.now(
        UTC
    ) + timedelta(days=30)


def alternatives(certificate: x509.Certificate) -> list[str]:
    """The certificate's DNS names and IP addresses."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName) + [str(a) for a in names.get_values_for_type(x509.IPAddress)]


def truststore(certificate: bytes, secret: str) -> bytes:
    """The certificate as a PKCS#12 truststore that Java reads."""
    entry = pkcs12.PKCS12Certificate(x509.load_pem_x509_certificate(certificate), b"ca.crt")
    return pkcs12.serialize_java_truststore([entry], serialization.BestAvailableEncryption(secret.encode()))


def keystore(pair: Pair, name: str, secret: str) -> bytes:
    """Key and certificate as PKCS#12."""
    return pkcs12.serialize_key_and_certificates(
        name.encode(),
        serialization.load_pem_private_key(pair.key, None),  # type: ignore[arg-type]
        x509.load_pem_x509_certificate(pair.certificate),
        None,
        serialization.BestAvailableEncryption(secret.encode()),
    )


def split(pem: bytes) -> Pair:
    """A PEM keystore taken apart."""
    marker = b"-----BEGIN CERTIFICATE-----"
    key, found, certificate = pem.partition(marker)
    if not found:
        raise ValueError("expected a private key followed by a certificate in PEM, saw no certificate")
    return Pair(marker + certificate, key)


def _name(common_name: str, organization: str = "io.strimzi") -> x509.Name:
    # Organisation first: RFC 2253, which Kafka's principals follow, turns the order round into CN=...,O=io.strimzi.
    first = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    return x509.Name([*first, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(subject: x509.Name, issuer: x509.Name, public: object) -> x509.CertificateBuilder:
    at = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)  # type: ignore[arg-type]
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - timedelta(minutes=5))
        .not_valid_after(at + LIFETIME)
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def fingerprint(*pems: bytes) -> str:
    """A short hash of certificates (and keys: it tells nothing about them)."""
    return hashlib.sha256(b"".join(pems)).hexdigest()[:16]
