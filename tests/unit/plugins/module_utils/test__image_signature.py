# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures as cosign makes and finds them."""

import json
import subprocess

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _image_signature as signature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

DIGEST = "sha256:" + "0" * 64
PAYLOAD = signature.payload("quay.example.com/x/function", DIGEST)
PEM = signature.make_key()
KEY = signature.read_key(PEM, "key")


def signed(key=KEY, payload=PAYLOAD):
    annotations = {signature.SIGNATURE: signature.sign(key, payload)}
    return signature.artifact(signature.PAYLOAD_TYPE, payload, annotations)


def test_cosign_finds_it_by_its_tag():
    assert signature.tag_of(DIGEST, "sig") == f"sha256-{'0' * 64}.sig"


def test_the_payload_is_sigstores_simple_signing():
    assert json.loads(PAYLOAD) == {
        "critical": {
            "identity": {"docker-reference": "quay.example.com/x/function"},
            "image": {"docker-manifest-digest": DIGEST},
            "type": "cosign container image signature",
        },
        "optional": None,
    }


def test_a_signature_is_known_again():
    assert signature.is_signed(signed(), PAYLOAD, KEY.public_key())


@pytest.mark.parametrize(
    "found",
    [
        None,
        signature.artifact(signature.PAYLOAD_TYPE, PAYLOAD),
        signature.artifact(signature.PAYLOAD_TYPE, PAYLOAD, {signature.SIGNATURE: "no base64!"}),
        signed(signature.read_key(signature.make_key(), "other")),
        signed(payload=signature.payload("quay.example.com/x/other", DIGEST)),
    ],
)
def test_anything_else_is_no_signature(found):
    assert not signature.is_signed(found, PAYLOAD, KEY.public_key())


def test_signatures_of_others_stay():
    theirs = signature.read_key(signature.make_key(), "theirs")
    both = signature.with_signature(signed(theirs), signed())
    for key in (KEY, theirs):
        assert signature.is_signed(both, PAYLOAD, key.public_key())
    assert signature.with_signature(None, signed()).text


def test_openssl_verifies_it(tmp_path):
    import base64

    (tmp_path / "payload").write_bytes(PAYLOAD)
    (tmp_path / "signature").write_bytes(base64.b64decode(signature.sign(KEY, PAYLOAD)))
    (tmp_path / "cosign.pub").write_text(signature.public_pem(KEY))
    files = ("-verify", "cosign.pub", "-signature", "signature", "payload")
    done = subprocess.run(
        ["openssl", "dgst", "-sha256", *files], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "Verified OK\n"


def test_a_key_is_written_for_its_owner_alone_and_once(tmp_path):
    path = tmp_path / "keys" / "cosign.key"
    signature.write_key(path, PEM)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.with_suffix(".pub").read_text() == signature.public_pem(KEY)
    with pytest.raises(FileExistsError):
        signature.write_key(path, PEM)


def pem(key, encryption=None):
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption or serialization.NoEncryption())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"no", "should be a private key as PEM"),
        (pem(KEY, serialization.BestAvailableEncryption(b"x")), "is encrypted"),
        (pem(ec.generate_private_key(ec.SECP384R1())), "ECDSA P-256"),
    ],
)
def test_a_key_that_is_of_no_use_is_refused(text, words):
    with pytest.raises(signature.SigningKeyError, match=words):
        signature.read_key(text, "key")
