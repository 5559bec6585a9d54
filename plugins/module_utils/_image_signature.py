# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Signatures and bills of materials beside an image, where cosign looks for them.

Payload: sigstore's "simple signing"; key: ECDSA P-256 with SHA-256; place: the tags sha256-<digest>.sig and .sbom.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._oci_archive import (
    OCI_MANIFEST,
    Manifest,
    digest_of,
)

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    MISSING = None
except ImportError as error:
    MISSING = error

SIGNATURE = "dev.cosignproject.cosign/signature"
PAYLOAD_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
SBOM_TYPE = "application/vnd.cyclonedx+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"


class SigningKeyError(Exception):
    """A sentence on a key that can't be used."""


def tag_of(digest: str, kind: str) -> str:
    """Where cosign looks: `kind` is sig or sbom."""
    return f"{digest.replace(':', '-')}.{kind}"


def payload(reference: str, digest: str) -> bytes:
    """What is signed: that this name stands for this digest."""
    critical = {
        "identity": {"docker-reference": reference},
        "image": {"docker-manifest-digest": digest},
        "type": "cosign container image signature",
    }
    return json.dumps({"critical": critical, "optional": None}, separators=(",", ":")).encode()


def config_of(data: bytes) -> bytes:
    """The configuration that an artifact has to have, as an image: one layer, `data`."""
    rootfs = {"type": "layers", "diff_ids": [digest_of(data)]}
    return json.dumps({"architecture": "", "os": "", "config": {}, "rootfs": rootfs}, separators=(",", ":")).encode()


def artifact(media_type: str, data: bytes, annotations: dict[str, str] | None = None) -> Manifest:
    """The manifest of an artifact with `data` as its only layer."""
    config = config_of(data)
    layer: dict[str, Any] = {"mediaType": media_type, "size": len(data), "digest": digest_of(data)}
    if annotations:
        layer["annotations"] = annotations
    content = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": CONFIG_TYPE, "size": len(config), "digest": digest_of(config)},
        "layers": [layer],
    }
    text = json.dumps(content, separators=(",", ":")).encode()
    return Manifest(OCI_MANIFEST, digest_of(text), text)


def with_signature(old: Manifest | None, new: Manifest) -> Manifest:
    """The signatures of others stay beside the new one."""
    content = json.loads(new.text)
    if old is not None:
        content["layers"] = json.loads(old.text).get("layers", []) + content["layers"]
    text = json.dumps(content, separators=(",", ":")).encode()
    return Manifest(OCI_MANIFEST, digest_of(text), text)


def is_signed(found: Manifest | None, data: bytes, public: Any) -> bool:
    """Whether one of the signatures that were found is over `data` by this key."""
    layers = json.loads(found.text).get("layers", []) if found else []
    signatures = [
        (layer.get("annotations") or {}).get(SIGNATURE, "") for layer in layers if layer["digest"] == digest_of(data)
    ]
    return any(verifies(public, signature, data) for signature in signatures)


def verifies(public: Any, signature: str, data: bytes) -> bool:
    try:
        public.verify(base64.b64decode(signature), data, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def sign(private: Any, data: bytes) -> str:
    return base64.b64encode(private.sign(data, ec.ECDSA(hashes.SHA256()))).decode()


def public_pem(private: Any) -> str:
    """The public key as cosign's --key takes it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def read_key(pem: bytes, name: str) -> Any:
    if b"ENCRYPTED" in pem:
        advice = "Give one without a passphrase, such as: openssl ecparam -name prime256v1 -genkey -noout"
        raise SigningKeyError(f"The signing key {name} is encrypted, which is not supported. {advice}")
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        said = f"The signing key {name} should be a private key as PEM, but can't be read: {error}"
        raise SigningKeyError(said) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.curve.name != "secp256r1":
        raise SigningKeyError(f"The signing key {name} should be of the kind ECDSA P-256, but is another.")
    return key


def make_key() -> bytes:
    form = serialization.PrivateFormat.PKCS8
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def write_key(path: Path, pem: bytes) -> None:
    """For its owner's eyes only, with the public key beside it for everyone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    path.with_suffix(".pub").write_text(public_pem(read_key(pem, str(path))))
