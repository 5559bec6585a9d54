# SPDX-License-Identifier: GPL-3.0-or-later
"""What a QuayRegistry and its config bundle ask for, checked as the vendor's operator does. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml
from strimzi.work import Failure

Body = dict[str, Any]
# Those of the first line are required by Quay itself.
KINDS = (
    "postgres", "objectstorage", "route", "redis", "tls",
    "quay", "clair", "clairpostgres", "horizontalpodautoscaler", "mirror", "monitoring",
)  # fmt: skip
# This stand-in runs none of them, so nobody may rely on it.
ABSENT = ("clair", "clairpostgres", "horizontalpodautoscaler", "mirror", "monitoring")
EXTRA_CA = "extra_ca_cert_"


@dataclass(frozen=True)
class Wanted:
    """One registry: its address, its certificate (none: the operator makes one) and where its images lie."""

    hostname: str
    config: Body = field(repr=False)
    certificate: tuple[str, str] | None = field(repr=False, default=None)
    authorities: str = field(repr=False, default="")
    bucket: Body | None = field(repr=False, default=None)
    replicas: int = 1


def invalid(message: str) -> Failure:
    return Failure("ConfigInvalid", message)


def managed(spec: Body) -> dict[str, bool]:
    """Whether the operator runs each component; what is not named is managed."""
    named = {entry["kind"]: entry["managed"] for entry in spec.get("components") or []}
    if unknown := set(named) - set(KINDS):
        raise Failure("ComponentOverrideInvalid", f"unknown components: {', '.join(sorted(unknown))}")
    return {kind: named.get(kind, True) for kind in KINDS}


def read(registry: Body, secret: dict[str, str]) -> Wanted:
    """`secret` holds the config bundle's texts. Failure has the vendor's reason why nothing can be rolled out."""
    components = managed(registry["spec"])
    if asked := [kind for kind in ABSENT if components[kind]]:
        raise Failure("Unsupported", f"this stand-in runs no {', '.join(asked)}: set managed to false")
    if components["route"]:
        raise Failure("RouteComponentDependencyError", "this cluster serves no Routes: set managed to false for route")
    if registry["spec"].get("configBundleSecret") and "config.yaml" not in secret:
        raise invalid(f"Secret {registry['spec']['configBundleSecret']} must hold config.yaml")
    config = _config(secret.get("config.yaml", ""))
    return Wanted(
        hostname=_hostname(config),
        config=config,
        certificate=_certificate(secret, components["tls"]),
        authorities="\n".join(text for key, text in sorted(secret.items()) if key.startswith(EXTRA_CA)),
        bucket=None if components["objectstorage"] else _bucket(config),
    )


def _config(text: str) -> Body:
    try:
        config = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise invalid(f"config.yaml is no YAML: {error}") from None
    if not isinstance(config, dict):
        raise invalid("config.yaml must hold keys and values")
    return config


def _hostname(config: Body) -> str:
    """Without a Route, somebody else brings the address: Quay must know it."""
    hostname = str(config.get("SERVER_HOSTNAME") or "")
    if not hostname:
        raise invalid("SERVER_HOSTNAME is required while the component route is not managed")
    return hostname


def _certificate(secret: dict[str, str], is_managed: bool) -> tuple[str, str] | None:
    if is_managed:
        return None
    if not {"ssl.cert", "ssl.key"} <= set(secret):
        raise invalid("ssl.cert and ssl.key are required in the config bundle while the component tls is not managed")
    return secret["ssl.cert"], secret["ssl.key"]


def _bucket(config: Body) -> Body:
    """Quay's place for images, as DISTRIBUTED_STORAGE_CONFIG: {default: [RadosGWStorage, {...}]} tells it."""
    places = config.get("DISTRIBUTED_STORAGE_CONFIG") or {}
    kind, options = next(iter(places.values()), (None, {}))
    if kind != "RadosGWStorage":
        raise invalid(f"DISTRIBUTED_STORAGE_CONFIG: this stand-in knows RadosGWStorage only, not {kind}")
    needed = ("hostname", "access_key", "secret_key", "bucket_name")
    if missing := [name for name in needed if not options.get(name)]:
        raise invalid(f"DISTRIBUTED_STORAGE_CONFIG lacks {', '.join(missing)}")
    return options


def storage(wanted: Wanted) -> Body:
    """The storage section of the registry's own configuration."""
    if wanted.bucket is None:
        return {"filesystem": {"rootdirectory": "/datastorage/registry"}}
    place = wanted.bucket
    secure = place.get("is_secure", True)
    address = f"{place['hostname']}:{place.get('port', 443 if secure else 80)}"
    return {
        "s3": {
            "region": "default",
            "regionendpoint": f"{'https' if secure else 'http'}://{address}",
            "bucket": place["bucket_name"],
            "accesskey": place["access_key"],
            "secretkey": place["secret_key"],
            "rootdirectory": place.get("storage_path", "/datastorage/registry"),
        },
        "redirect": {"disable": True},
    }
