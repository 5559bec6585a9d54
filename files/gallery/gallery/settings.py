# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of the page, read from GALLERY_* variables. Secrets are files in folders that these name."""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

PREFIX = "GALLERY_"
SIGN_IN = ("local", "header", "oidc")


class SettingsError(Exception):
    """A variable is missing or has a value that cannot work; the text says which and what is expected."""


@dataclass(frozen=True)
class Settings:
    """Field `x` is read from GALLERY_X."""

    s3_endpoint: str
    facility: str = "XRay Lab"
    s3_region: str = "us-east-1"
    object_store: Path = Path("/etc/gallery/object-store")  # access_key, secret_key and, optionally, ca.crt
    results: Path = Path("/etc/gallery/results")  # host, port, dbname, user, password and, optionally, ca.crt
    secrets: Path = Path("/etc/gallery/secrets")  # session.key; accounts.json where people sign in here
    source_bucket: str = "xray-source"
    processed_suffix: str = "-processed"
    anonymized_suffix: str = "-anonymized"
    threshold_pneumonia: float = 0.80
    threshold_normal: float = 0.60
    sign_in: str = "local"
    header_user: str = "x-forwarded-user"
    header_groups: str = "x-forwarded-groups"
    trusted_proxies: str = ""  # networks whose requests may carry these headers, comma separated
    clinicians: str = ""  # names of users who may see what is not de-identified, comma separated
    clinician_groups: str = ""
    oidc_issuer: str = ""
    oidc_client: str = ""
    oidc_groups_claim: str = "groups"
    public_url: str = ""  # as browsers reach the page; OIDC's answers come back to it
    cookie_secure: bool = True
    session_hours: int = 12
    preview_bytes: int = 64 * 1024**2  # of small pictures kept in memory
    max_bytes: int = 64 * 1024**2
    max_pixels: int = 40_000_000
    host: str = "0.0.0.0"  # noqa: S104 - in its container; 127.0.0.1 where a proxy stands beside it
    port: int = 8080

    def __post_init__(self) -> None:
        if not self.s3_endpoint.startswith(("http://", "https://")):
            raise SettingsError(f"{PREFIX}S3_ENDPOINT: expected a URL, got {self.s3_endpoint!r}.")
        if self.sign_in not in SIGN_IN:
            raise SettingsError(f"{PREFIX}SIGN_IN: expected {', '.join(SIGN_IN)}, got {self.sign_in!r}.")
        if self.sign_in == "header" and not self.networks:
            raise SettingsError(
                f"{PREFIX}TRUSTED_PROXIES is empty: with {PREFIX}SIGN_IN=header anyone could say who they are."
            )
        if self.sign_in == "oidc":
            for name in ("oidc_issuer", "oidc_client", "public_url"):
                if not getattr(self, name):
                    raise SettingsError(f"{PREFIX}{name.upper()} is empty: {PREFIX}SIGN_IN=oidc needs it.")

    @property
    def networks(self) -> list[Any]:
        """The trusted proxies' networks. Raises SettingsError."""
        try:
            return [ipaddress.ip_network(text) for text in listed(self.trusted_proxies)]
        except ValueError as error:
            raise SettingsError(f"{PREFIX}TRUSTED_PROXIES: expected networks such as 10.128.0.0/14: {error}.") from None


def listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def switch(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises SettingsError naming the variable."""
    parsers: dict[Any, Callable[[str], Any]] = {str: str, int: int, float: float, bool: switch, Path: Path}
    values: dict[str, Any] = {}
    for field in fields(Settings):
        text = environment.get(variable := PREFIX + field.name.upper())
        if text is None:
            continue
        try:
            values[field.name] = parsers[field.type](text)
        except (ValueError, KeyError):
            raise SettingsError(f"{variable}: expected {field.type.__name__}, got {text!r}.") from None
    if "s3_endpoint" not in values:
        raise SettingsError(f"{PREFIX}S3_ENDPOINT is not set: expected the URL of the object store.")
    return Settings(**values)
