# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Credentials of a facility and of its agent: kubeconfigs, tokens, certificates and requests for them. Pure.

Whatever signature there is gets checked by the API servers; here it is only read what they say.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._managed import Refusal

Config = dict[str, Any]
FILES = {
    "certificate-authority": "certificate-authority-data", "client-certificate": "client-certificate-data",
    "client-key": "client-key-data",
}  # fmt: skip
COMMANDS = ("exec", "auth-provider")
SECRETS = ("token", "password", "client-key-data")
AGENT = re.compile(rb"system:open-cluster-management:([a-z0-9.-]+):")
VALIDITY = re.compile(rb"(?:\x17\x0d(\d{12}Z)|\x18\x0f(\d{14}Z))(?:\x17\x0d(\d{12}Z)|\x18\x0f(\d{14}Z))")


def named(entries: list[Config] | None, name: str | None, part: str) -> Config:
    found = next((entry for entry in entries or [] if entry.get("name") == name), None)
    if not found or part not in found:
        raise Refusal(f"The facility's kubeconfig should have the {part} {name or '(none given)'}, but it has not.")
    return found[part] or {}


def one_context(config: Config, context: str | None) -> Config:
    """A kubeconfig with nothing but one context of another, its current one without a name."""
    if not isinstance(config, dict) or "contexts" not in config:
        raise Refusal("The facility's kubeconfig should have clusters, users and contexts, but it has not.")
    wanted = named(config.get("contexts"), context or config.get("current-context"), "context")
    cluster = named(config.get("clusters"), wanted.get("cluster"), "cluster")
    return kubeconfig(cluster, named(config.get("users"), wanted.get("user"), "user"))


def kubeconfig(cluster: Config, user: Config) -> Config:
    return {
        "apiVersion": "v1", "kind": "Config", "current-context": "facility",
        "clusters": [{"name": "facility", "cluster": cluster}], "users": [{"name": "facility", "user": user}],
        "contexts": [{"name": "facility", "context": {"cluster": "facility", "user": "facility"}}],
    }  # fmt: skip


def cluster_of(config: Config) -> Config:
    return config["clusters"][0]["cluster"]


def user_of(config: Config) -> Config:
    return config["users"][0]["user"]


def carrying(config: Config, read: Callable[[str], bytes], server: str | None = None) -> Config:
    """A kubeconfig of one context that needs no file and no command of this machine, so that the hub can use it."""
    commands = [key for key in COMMANDS if key in user_of(config)]
    if commands:
        raise Refusal(
            f"The facility's kubeconfig gets its credentials from a command ({commands[0]}), which the hub cannot run. "
            "Give one with a token or a client certificate, such as that of a service account."
        )
    cluster, user = ({**inlined(part, read)} for part in (cluster_of(config), user_of(config)))
    return kubeconfig(cluster | ({"server": server} if server else {}), user)


def inlined(part: Config, read: Callable[[str], bytes]) -> Config:
    found = {key: value for key, value in part.items() if key not in FILES and key != "tokenFile"}
    for key, inline in FILES.items():
        if part.get(key) and not part.get(inline):
            found[inline] = base64.b64encode(read(part[key])).decode()
    if part.get("tokenFile") and not part.get("token"):
        found["token"] = read(part["tokenFile"]).decode().strip()
    return found


def secrets_of(config: Config) -> list[str]:
    """What must not be printed."""
    return [value for key, value in user_of(config).items() if key in SECRETS and value]


def token_expiry(token: str | None) -> datetime | None:
    """When a service account's token ends, None when it does not say."""
    parts = (token or "").split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(claims["exp"], UTC)
    except (ValueError, KeyError, TypeError):
        return None


def certificate_expiry(pem: str | None) -> datetime | None:
    """When the first certificate of a PEM text ends."""
    found = VALIDITY.search(from_pem(pem))
    if not found:
        return None
    short, long = found[3], found[4]
    # RFC 5280: years from 2050 on are written in full.
    text = (b"20" + short if short else long).decode()
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def agent_of(request: str | None) -> tuple[str, str]:
    """(cluster, agent) that a CSR's base64 text asks a certificate for, ("", "") when it is no agent's."""
    try:
        der = from_pem(base64.b64decode(request or "").decode())
    except ValueError:
        return "", ""
    found = AGENT.search(der)
    if not found:
        return "", ""
    # The name's length is written before it, in one byte or, from 128 on, in a second one.
    length = der[found.start() - 1]
    agent = der[found.end() : found.start() + length]
    return found[1].decode(), agent.decode(errors="replace")


def from_pem(text: str | None) -> bytes:
    lines = (text or "").strip().splitlines()
    body: list[str] = []
    for line in lines[1:]:
        if line.startswith("-----"):
            break
        body.append(line.strip())
    try:
        return base64.b64decode("".join(body))
    except ValueError:
        return b""
