# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of the function, read from RISK_ASSESSMENT_* variables. Secrets are files, read by the store."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

PREFIX = "RISK_ASSESSMENT_"
CORES = len(os.sched_getaffinity(0))

MODEL = Path(__file__).with_name("model.onnx")
POLICY = Path(__file__).with_name("policy.yaml")


ANONYMIZE = ("all", "unsure", "none")


class SettingsError(Exception):
    """A variable is missing or has a value that cannot work; the text says which and what is expected."""


@dataclass(frozen=True)
class Settings:
    """Field `x` is read from RISK_ASSESSMENT_X."""

    s3_endpoint: str
    s3_region: str = "us-east-1"
    s3_credentials: Path = Path("/etc/risk-assessment/object-store")  # access_key, secret_key and, optionally, ca.crt
    processed_suffix: str = "-processed"
    anonymized_suffix: str = "-anonymized"
    anonymize: str = "all"  # or unsure, or none: of which studies an anonymized copy is stored
    policy: Path = POLICY
    pseudonym_key: Path = Path("/etc/risk-assessment/pseudonyms/key")  # a secret of the site, at least 32 bytes
    threshold_pneumonia: float = 0.80
    threshold_normal: float = 0.60
    max_bytes: int = 64 * 1024**2
    max_pixels: int = 40_000_000  # largest detectors make 4300 x 3500; RGB takes 4 bytes a pixel while it is decoded
    model: Path = MODEL
    model_threads: int = 1
    workers: int = CORES  # studies decoded and scored at the same time
    transfers: int = 8  # objects fetched and stored at the same time
    port: int = 8080
    shutdown_seconds: int = 25

    def __post_init__(self) -> None:
        if not self.s3_endpoint.startswith(("http://", "https://")):
            raise SettingsError(
                f"{PREFIX}S3_ENDPOINT: expected a URL such as https://store:443, got {self.s3_endpoint!r}."
            )
        for name in ("processed_suffix", "anonymized_suffix"):
            if not getattr(self, name):
                raise SettingsError(
                    f"{PREFIX}{name.upper()} is empty: results would land in the bucket they come from."
                )
        if self.processed_suffix == self.anonymized_suffix:
            raise SettingsError(f"{PREFIX}PROCESSED_SUFFIX and _ANONYMIZED_SUFFIX are the same: they must differ.")
        if self.anonymize not in ANONYMIZE:
            raise SettingsError(f"{PREFIX}ANONYMIZE: expected {', '.join(ANONYMIZE)}, got {self.anonymize!r}.")
        if not 0 <= self.threshold_normal <= self.threshold_pneumonia <= 1:
            raise SettingsError(
                f"{PREFIX}THRESHOLD_NORMAL and _PNEUMONIA: expected 0 <= normal <= pneumonia <= 1, "
                f"got {self.threshold_normal} and {self.threshold_pneumonia}."
            )
        for name in ("max_bytes", "max_pixels", "model_threads", "workers", "transfers", "port", "shutdown_seconds"):
            if getattr(self, name) < 1:
                raise SettingsError(f"{PREFIX}{name.upper()}: expected at least 1, got {getattr(self, name)}.")


def finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Raises SettingsError naming the variable."""
    parsers: dict[Any, Callable[[str], Any]] = {str: str, int: int, float: finite, Path: Path}
    values: dict[str, Any] = {}
    for field in fields(Settings):
        text = environment.get(variable := PREFIX + field.name.upper())
        if text is None:
            continue
        try:
            values[field.name] = parsers[field.type](text)
        except ValueError:
            raise SettingsError(f"{variable}: expected {field.type.__name__}, got {text!r}.") from None
    if "s3_endpoint" not in values:
        raise SettingsError(f"{PREFIX}S3_ENDPOINT is not set: expected the URL of the object store.")
    return Settings(**values)
