# SPDX-License-Identifier: GPL-3.0-or-later
"""The client of image registries, on a small registry over TLS that gives tokens as real ones do."""

import base64
import datetime
import io
import ipaddress
import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._oci_archive import (
    OCI_MANIFEST,
    Manifest,
    digest_of,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._oci_registry import RegistryError, Repository
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BLOB, TEXT = b"a layer", b'{"schemaVersion": 2}'
LOGIN = ("x+loader", "right")
BASIC = "Basic " + base64.b64encode(b"x+loader:right").decode()


class Registry(BaseHTTPRequestHandler):
    """Keeps what it gets in `kept`; every request but that for a token needs one."""

    kept: ClassVar[dict] = {}

    def log_message(self, *_args):
        pass

    def reply(self, code, body=b"", **headers):
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer(self):
        path, query = (*self.path.split("?", 1), "")[:2]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if path == "/token":
            right = self.headers.get("Authorization") == BASIC and "scope=repository%3Ax%2Fy%3Apull%2Cpush" in query
            wrong = json.dumps({"errors": [{"message": "no such robot"}]}).encode()
            self.reply(*((200, b'{"token": "T"}') if right else (401, wrong)))
        elif self.headers.get("Authorization") != "Bearer T":
            realm = f'Bearer realm="https://{self.headers["Host"]}/token",service="s"'
            self.reply(401, WWW_Authenticate=realm)
        elif self.command == "POST":
            self.reply(202, Location=f"{path}here?state=1")
        elif self.command == "PUT":
            self.kept[query.partition("digest=")[2] or path] = body
            self.reply(201)
        else:
            found = self.kept.get(path) or self.kept.get(path.rpartition("/")[2])
            self.reply(*((200, found) if found else (404, b"")), Content_Type=OCI_MANIFEST)

    do_GET = do_HEAD = do_POST = do_PUT = answer  # noqa: N815


def write_certificate(folder):
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "registry")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(1))
    signed = made.add_extension(address, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    form = serialization.PrivateFormat.PKCS8
    (folder / "ca.crt").write_bytes(signed.public_bytes(pem))
    (folder / "key").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """(host:port, file of the authority) of a running registry."""
    folder = tmp_path_factory.mktemp("registry")
    write_certificate(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.crt", folder / "key")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}", str(folder / "ca.crt")
    server.shutdown()


@pytest.fixture
def repository(place):
    Registry.kept = {}
    return Repository(f"{place[0]}/x/y", LOGIN, place[1])


@pytest.mark.parametrize("data", [BLOB, io.BytesIO(BLOB)])
def test_a_blob_is_sent_in_one_piece_and_found(repository, data):
    assert not repository.has_blob(digest_of(BLOB))
    repository.put_blob(digest_of(BLOB), data)
    assert repository.has_blob(digest_of(BLOB))
    assert repository.blob(digest_of(BLOB)) == BLOB


def test_a_manifest_keeps_its_bytes(repository):
    assert repository.manifest("1.0") is None
    repository.put_manifest("1.0", Manifest(OCI_MANIFEST, digest_of(TEXT), TEXT))
    assert repository.manifest("1.0") == Manifest(OCI_MANIFEST, digest_of(TEXT), TEXT)


@pytest.mark.parametrize(("login", "who"), [(("x+loader", "wrong"), "as x.loader"), (None, "as nobody in particular")])
def test_who_may_not_is_told_who_they_were(place, login, who):
    with pytest.raises(RegistryError, match=f"answered 401 no such robot. It was asked {who}"):
        Repository(f"{place[0]}/x/y", login, place[1]).manifest("1.0")


def test_a_certificate_that_nobody_trusts_is_said_with_the_cure(place, monkeypatch):
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    with pytest.raises(RegistryError, match=r"TLS failed: .*Give the authority .* as ca_file"):
        Repository(f"{place[0]}/x/y", LOGIN).manifest("1.0")


def test_a_registry_that_is_not_there_is_named():
    with pytest.raises(RegistryError, match=r"Could not read 1.0 of 127.0.0.1:1/x/y: Connection refused"):
        Repository("127.0.0.1:1/x/y", None).manifest("1.0")


@pytest.mark.parametrize("name", ["gallery", "https://q/x/y", "q/X/y", "q/"])
def test_what_is_no_name_of_a_repository_is_refused(name):
    with pytest.raises(RegistryError, match="HOST/PATH"):
        Repository(name, None)
