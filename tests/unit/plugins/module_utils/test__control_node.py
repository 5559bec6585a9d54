# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import datetime
import socket
import ssl
import threading

import pytest
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _control_node as control_node
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder, name):
    """A self-signed certificate for localhost and its key, each in a file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(datetime.datetime(now.year + 1, 5, 17, tzinfo=datetime.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return files


@pytest.fixture
def store(tmp_path):
    """(address, CA file) of a TLS server that greets whoever comes."""
    crt, key = certificate(tmp_path, "store")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                context.wrap_socket(listener.accept()[0], server_side=True).close()
            except ssl.SSLError:
                continue
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    yield f"https://localhost:{listener.getsockname()[1]}", str(crt)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


def judged(url, ca_file):
    return list(control_node.judge_endpoint(url, ca_file))


def test_the_day_until_which_the_certificate_is_good_is_told(store):
    findings = judged(*store)
    assert {finding.ok for finding in findings} == {True}
    assert f"good until May 17 00:00:00 {datetime.datetime.now(datetime.UTC).year + 1}" in findings[-1].what


def test_another_authority_does_not_verify(store, tmp_path):
    other, _key = certificate(tmp_path, "other")
    finding = judged(store[0], str(other))[-1]
    assert (finding.ok, finding.seen.startswith("self-signed certificate")) == (False, True)
    assert str(other) in finding.cure


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_a_file_that_holds_no_authority_is_told_and_the_name_still_looked_up(tmp_path, content):
    file = tmp_path / "ca.crt"
    if content:
        file.write_text(content)
    findings = judged("https://localhost:9", str(file))
    assert [(finding.where, finding.ok) for finding in findings] == [
        ("object store", True),
        ("object store", False),
        ("DNS", True),
    ]


def test_where_nothing_listens_the_way_is_to_be_checked():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    finding = judged(f"https://localhost:{port}", None)[-1]
    assert (finding.ok, finding.seen) == (False, "Connection refused.")


def test_a_name_without_an_address_is_told():
    finding = judged("https://store.invalid", None)[-1]
    assert (finding.where, finding.ok) == ("DNS", False)


@pytest.mark.parametrize("url", ["http://store", "store.example.com", "https://", "https://store:port", ""])
def test_what_is_no_https_address_is_told(url):
    assert [finding.ok for finding in judged(url, None)] == [False]


def test_packages_are_compared_with_what_is_there(monkeypatch):
    there = {"boto3": "1.40.0", "jmespath": "2.1"}
    monkeypatch.setattr(control_node, "installed", lambda package: there.get(package, ""))
    findings = list(control_node.judge_packages(["boto3>=1.34,<2", "jmespath>=1.0,<2", "requests>=2"]))
    assert [(finding.what, finding.seen) for finding in findings] == [
        ("package jmespath>=1.0,<2", "2.1 is there."),
        ("package requests>=2", "it is not there."),
    ]
    [finding] = control_node.judge_packages(["boto3>=1.34,<2"])
    assert (finding.ok, finding.what) == (True, "every package is in its range: boto3 1.40.0")


def test_collections_are_compared_with_what_galaxy_says():
    wanted = [{"name": "kubernetes.core", "version": ">=3.2.0,<7.0.0"}, {"name": "a.b"}]
    there = {"kubernetes.core": {"version": "2.4.0"}, "a.b": {"version": "1.0.0"}}
    assert [finding.seen for finding in control_node.judge_collections(wanted, there)] == ["2.4.0 is there."]
    assert [finding.ok for finding in control_node.judge_collections(wanted, None)] == [None]


def test_missing_commands_are_named():
    findings = list(control_node.judge_commands(["sh", "no-such-command"]))
    assert [finding.what for finding in findings] == ["command no-such-command is there"]
    assert list(control_node.judge_commands([])) == []


def test_python_is_in_its_range():
    assert control_node.judge_python("3.11.7", ">=3.11").ok is True
    assert control_node.judge_python("3.9.2", ">=3.11").ok is False
