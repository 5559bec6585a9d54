# SPDX-License-Identifier: GPL-3.0-or-later
"""The API of a cluster that is imported, reached with what an auto-import-secret holds."""

from __future__ import annotations

import base64
import ssl
import tempfile
from typing import Any

import yaml
from strimzi.kube import Api, object_path
from strimzi.work import Failure

MANAGER = "managedcluster-import-controller"
INVALID = "ManagedClusterImportFailed"
Body = dict[str, Any]


class Text(str):
    """A token that is in no file; Api reads its own from one."""

    def read_text(self) -> str:
        return self


class Spoke(Api):
    """Like Api, with any credentials of a kubeconfig that need no other program."""

    def __init__(self, server: str, token: str, tls: ssl.SSLContext) -> None:
        self._server, self._token_file, self._manager = server.rstrip("/"), Text(token), MANAGER
        self._ssl, self._session = tls, None

    async def apply_all(self, objects: list[Body]) -> None:
        for body in objects:
            await self.apply(body)

    async def delete_all(self, objects: list[Body]) -> None:
        for body in reversed(objects):
            await self.delete(object_path(body))


def spoke_of(secret: dict[str, str]) -> Spoke:
    """A client from the texts of an auto-import-secret."""
    if secret.get("kubeconfig"):
        return _by_kubeconfig(secret["kubeconfig"])
    if secret.get("server") and secret.get("token"):
        # The vendor trusts any server here as well: the secret has no place for its authority.
        return Spoke(secret["server"], secret["token"], _tls(None, insecure=True))
    raise Failure(INVALID, "expected kubeconfig, or server and token, in Secret auto-import-secret")


def _by_kubeconfig(text: str) -> Spoke:
    try:
        config = yaml.safe_load(text)
        name = config.get("current-context") or config["contexts"][0]["name"]
        context = _named(config["contexts"], name)["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        server = cluster["server"]
    except (yaml.YAMLError, KeyError, IndexError, TypeError, AttributeError, StopIteration):
        raise Failure(INVALID, "the kubeconfig in Secret auto-import-secret can't be read") from None
    authority = cluster.get("certificate-authority-data")
    tls = _tls(authority, bool(cluster.get("insecure-skip-tls-verify")))
    if user.get("client-certificate-data"):
        _present(tls, user["client-certificate-data"], user["client-key-data"])
    elif not user.get("token"):
        raise Failure(
            INVALID, "the kubeconfig in Secret auto-import-secret must hold its user's token or certificate itself"
        )
    return Spoke(server, user.get("token", ""), tls)


def _named(entries: list[Body], name: str) -> Body:
    return next(entry for entry in entries if entry["name"] == name)


def _tls(authority: str | None, insecure: bool = False) -> ssl.SSLContext:
    """`authority` is a certificate in PEM, in base64."""
    try:
        context = ssl.create_default_context(cadata=base64.b64decode(authority).decode() if authority else None)
    except (ValueError, ssl.SSLError):
        raise Failure(INVALID, "certificate-authority-data of Secret auto-import-secret is no certificate") from None
    if insecure:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _present(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """ssl takes certificates from files only."""
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(base64.b64decode(certificate) + b"\n" + base64.b64decode(key))
        file.flush()
        context.load_cert_chain(file.name)
