# SPDX-License-Identifier: GPL-3.0-or-later
"""A destination's URL: from a reference to anything addressable, or a URI, or both."""

from __future__ import annotations

from typing import Any
from urllib.parse import urljoin

from strimzi.kube import Api, ApiError, path_of


class Unresolved(Exception):
    """`reason` is a word, the message a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def address(body: dict[str, Any]) -> str:
    """status.address.url, or the first of status.addresses."""
    status = body.get("status") or {}
    first = (status.get("addresses") or [{}])[0]
    return (status.get("address") or first).get("url") or ""


async def plural(api: Api, api_version: str, kind: str) -> str:
    """The kind's resource name by API discovery."""
    found = await api.get(f"/{'apis' if '/' in api_version else 'api'}/{api_version}")
    for resource in (found or {}).get("resources") or []:
        if resource["kind"] == kind and "/" not in resource["name"]:
            return resource["name"]
    raise Unresolved("NotFound", f"the cluster has no {kind} in {api_version}")


async def destination(api: Api, spec: dict[str, Any] | None, namespace: str) -> str:
    """The URL of a duck-typed destination {ref, uri}."""
    reference, uri = (spec or {}).get("ref"), (spec or {}).get("uri")
    if not reference:
        if not uri:
            raise Unresolved("SinkEmpty", "the destination has neither ref nor uri")
        return uri
    base = await _reference(api, reference, reference.get("namespace") or namespace)
    return urljoin(base, uri) if uri else base


async def _reference(api: Api, reference: dict[str, Any], namespace: str) -> str:
    version, kind, name = reference.get("apiVersion") or "v1", reference["kind"], reference["name"]
    where = f"{kind} {namespace}/{name}"
    try:
        body = await api.get(path_of(version, await plural(api, version, kind), namespace, name))
    except ApiError as error:
        raise Unresolved("NotAllowed", f"cannot read {where}: {error}") from error
    if body is None:
        raise Unresolved("NotFound", f"{where} ({version}) does not exist")
    if (version, kind) == ("v1", "Service"):
        return f"http://{name}.{namespace}.svc.cluster.local"
    url = address(body)
    if not url:
        raise Unresolved("NoAddress", f"{where} has no status.address.url yet")
    return url
