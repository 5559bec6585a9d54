# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Looks at what only the control node can tell: names, TLS, commands and Python packages. No Kubernetes here."""

from __future__ import annotations

import shutil
import socket
import ssl
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._causes import root_cause
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._findings import Finding
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._versions import split, within

ANSWER_WITHIN = 10  # seconds


# Object store


def judge_endpoint(url: str, ca_file: str | None) -> Iterator[Finding]:
    """Each step only if the one before it went well."""
    parts = urlsplit(url)
    try:
        port = parts.port or 443
    except ValueError:
        port = 0
    right = parts.scheme == "https" and bool(parts.hostname) and port > 0
    yield Finding(
        "object store",
        f"xraylab_s3_endpoint is an https address: {url}",
        right,
        "https://HOST or https://HOST:PORT was expected.",
        "RGW takes passwords over https only; correct xraylab_s3_endpoint.",
    )
    if not right or not parts.hostname:
        return
    context, trouble = trust(ca_file)
    yield trouble
    resolved = resolve(parts.hostname)
    yield resolved
    if resolved.ok and context:
        yield greet(parts.hostname, port, context, ca_file)


def trust(ca_file: str | None) -> tuple[ssl.SSLContext | None, Finding]:
    """A context that trusts the file's authorities, or this machine's own without a file."""
    name = f"xraylab_s3_ca_file {ca_file} can be used" if ca_file else "this machine's own authorities are trusted"
    try:
        return ssl.create_default_context(cafile=ca_file or None), Finding("object store", name)
    except (OSError, ValueError) as error:
        seen = f"{root_cause(error)}."
        cure = "It must be a readable PEM file with the authority that signed the object store's certificate."
        return None, Finding("object store", name, False, seen, cure)


def resolve(host: str) -> Finding:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return Finding(
            "DNS",
            f"{host} has an address on the control node",
            False,
            f"{root_cause(error)}.",
            "Correct xraylab_s3_endpoint, or the control node's DNS: getent hosts " + host,
        )
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    return Finding("DNS", f"{host} has an address on the control node: {', '.join(addresses)}")


def greet(host: str, port: int, context: ssl.SSLContext, ca_file: str | None) -> Finding:
    what = f"{host}:{port} answers with a certificate that verifies"
    try:
        with (
            socket.create_connection((host, port), timeout=ANSWER_WITHIN) as plain,
            context.wrap_socket(plain, server_hostname=host) as secure,
        ):
            certificate: dict[str, Any] = secure.getpeercert() or {}
    except ssl.SSLCertVerificationError as error:
        cure = f"Put the authority that signed it into xraylab_s3_ca_file (now {ca_file or 'not set'}), or renew it."
        return Finding("object store", what, False, f"{root_cause(error)}.", cure)
    except OSError as error:
        cure = "Check xraylab_s3_endpoint, and that the way there is open from the control node."
        return Finding("object store", what, False, f"{root_cause(error)}.", cure)
    return Finding("object store", f"{what}, good until {certificate.get('notAfter', 'an unknown day')}")


# Tools


def judge_python(seen: str, span: str) -> Finding:
    return Finding(
        "control node",
        f"Python {seen} is {span}",
        within(seen, span),
        "it is not.",
        "Install ansible-core with another Python.",
    )


def judge_packages(requirements: list[str]) -> Iterator[Finding]:
    """Lines of a requirements.txt, compared with what this Python has."""
    found = {line: installed(split(line)[0]) for line in requirements}
    yield from judge_versions("package", found, "pip install -r requirements.txt")


def judge_collections(wanted: list[dict[str, Any]], there: dict[str, dict[str, Any]] | None) -> Iterator[Finding]:
    """Entries of a requirements.yml, compared with the answer of ansible-galaxy, None when it gave none."""
    if there is None:
        seen = "ansible-galaxy collection list gave no answer."
        yield Finding("control node", "the collections are in their ranges", None, seen, "Run it to see why.")
        return
    found = {
        f"{entry['name']} {entry.get('version', '')}": (there.get(entry["name"]) or {}).get("version", "")
        for entry in wanted
    }
    yield from judge_versions("collection", found, "ansible-galaxy collection install -r requirements.yml")


def judge_versions(kind: str, found: dict[str, str], cure: str) -> Iterator[Finding]:
    wrong = {line: seen for line, seen in found.items() if not seen or not within(seen, split(line)[1])}
    for line, seen in wrong.items():
        yield Finding(
            "control node", f"{kind} {line}", False, f"{seen or 'it'} is {'' if seen else 'not '}there.", cure
        )
    if not wrong:
        told = ", ".join(f"{split(line)[0]} {seen}" for line, seen in found.items())
        yield Finding("control node", f"every {kind} is in its range: {told}")


def installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def judge_commands(commands: list[str]) -> Iterator[Finding]:
    missing = [command for command in commands if not shutil.which(command)]
    for command in missing:
        cure = "Install it on the control node or in the execution environment, or give images that are built already."
        yield Finding("control node", f"command {command} is there", False, "it is not in PATH.", cure)
    if commands and not missing:
        yield Finding("control node", f"commands are there: {', '.join(commands)}")
