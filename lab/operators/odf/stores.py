# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a CephObjectStore's gateway is, and its status as Rook 1.15 writes it. Pure."""

from __future__ import annotations

from typing import Any

from strimzi.work import Failure

Body = dict[str, Any]
PORTS = {"secure": ("https", "securePort"), "insecure": ("http", "port")}


def endpoints(store: Body) -> dict[str, list[str]]:
    """The gateway's addresses, secure and insecure ones."""
    gateway = store["spec"].get("gateway") or {}
    hosts = [entry.get("hostname") or entry["ip"] for entry in gateway.get("externalRgwEndpoints") or []]
    if not hosts:
        raise Failure("Unsupported", "this stand-in runs no gateway: spec.gateway.externalRgwEndpoints must name one")
    found = {
        name: [f"{scheme}://{host}:{gateway[port]}" for host in hosts if gateway.get(port)]
        for name, (scheme, port) in PORTS.items()
    }
    if not any(found.values()):
        raise Failure("InvalidSpec", "spec.gateway needs securePort or port")
    return found


def endpoint(store: Body) -> str:
    """The address to use: the first one, over TLS where there is any."""
    found = endpoints(store)
    return (found["secure"] + found["insecure"])[0]


def certificate(store: Body) -> str | None:
    """The Secret with the certificates to trust."""
    return store["spec"]["gateway"].get("sslCertificateRef")


def ready(store: Body) -> Body:
    found = endpoints(store)
    both = found["secure"] and found["insecure"]
    info = (
        {"secureEndpoint": found["secure"][0], "endpoint": found["insecure"][0]}
        if both
        else {"endpoint": endpoint(store)}
    )
    return {"phase": "Ready", "observedGeneration": store["metadata"]["generation"], "endpoints": found, "info": info}


def failed(store: Body, error: Exception) -> Body:
    return {**(store.get("status") or {}), "phase": "Failure", "message": str(error)}
