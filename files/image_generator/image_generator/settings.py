# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting: SECONDS_WAIT, as in the original demo, and IMAGE_GENERATOR_* variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class SettingsError(Exception):
    """A variable is missing or has a value that cannot work; the text says which and what is expected."""


@dataclass(frozen=True)
class Settings:
    s3_endpoint: str
    seconds_wait: float = 1.0
    samples_bucket: str = "xray-samples"
    target_bucket: str = "xray-source"
    pneumonia_share: float = 0.2
    object_store: Path = Path("/etc/image-generator/object-store")  # access_key, secret_key and, optionally, ca.crt
    at_once: int = 8  # uploads at the same time


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises SettingsError naming the variable."""
    endpoint = environment.get("IMAGE_GENERATOR_S3_ENDPOINT", "")
    if not endpoint.startswith(("http://", "https://")):
        raise SettingsError(f"IMAGE_GENERATOR_S3_ENDPOINT: expected a URL, got {endpoint!r}.")
    return Settings(
        s3_endpoint=endpoint,
        seconds_wait=number(environment, "SECONDS_WAIT", Settings.seconds_wait, 0.001, 86400),
        samples_bucket=environment.get("IMAGE_GENERATOR_SAMPLES_BUCKET", Settings.samples_bucket),
        target_bucket=environment.get("IMAGE_GENERATOR_TARGET_BUCKET", Settings.target_bucket),
        pneumonia_share=number(environment, "IMAGE_GENERATOR_PNEUMONIA_SHARE", Settings.pneumonia_share, 0, 1),
        object_store=Path(environment.get("IMAGE_GENERATOR_OBJECT_STORE", str(Settings.object_store))),
    )


def number(environment: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    text = environment.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not least <= value <= most:
        raise SettingsError(f"{name}: expected a number from {least:g} to {most:g}, got {text!r}.")
    return value
