# SPDX-License-Identifier: GPL-3.0-or-later
"""Every setting of the function, read from RISK_ASSESSMENT_* variables. Secrets are files, read by the store."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

PREFIX = "RISK_ASSESSMENT_"
CORES = len(os.sched_getaffinity(0))

MODEL = Path(__file__).with_name("model.onnx")
POLICY = Path(__file__).with_name("policy.yaml")

ANONYMIZE = ("all", "unsure", "none")
NAMES = ("pseudonymous", "original")


class SettingsError(Exception):
    """A variable is missing or has a value that cannot work; the text says which and what is expected."""


def wrong(name: str, text: str) -> SettingsError:
    return SettingsError(f"{PREFIX}{name.upper()}{text}")


@dataclass(frozen=True, kw_only=True)
class FindingSettings:
    """What decides a finding: all that files on disk are assessed by. Field `x` is read from RISK_ASSESSMENT_X."""

    threshold_pneumonia: float = 0.80
    threshold_normal: float = 0.60
    view_threshold: float | None = None  # least probability of a frontal chest X-ray; None: as the model says
    max_bytes: int = 64 * 1024**2
    max_pixels: int = 40_000_000  # largest detectors make 4300 x 3500; RGB takes 4 bytes a pixel while it is decoded
    model: Path = MODEL
    server: str = ""  # URL of the model at a server of the Open Inference Protocol; empty: the model is loaded here
    model_threads: int = 1
    workers: int = CORES  # studies decoded and scored at the same time

    def __post_init__(self) -> None:
        if not 0 <= self.threshold_normal <= self.threshold_pneumonia <= 1:
            raise wrong(
                "threshold_normal",
                " and _PNEUMONIA: expected 0 <= normal <= pneumonia <= 1, "
                f"got {self.threshold_normal} and {self.threshold_pneumonia}.",
            )
        if self.view_threshold is not None and not 0 <= self.view_threshold <= 1:
            raise wrong("view_threshold", f": expected 0 (scores every picture) to 1, got {self.view_threshold}.")
        if self.server and not self.server.startswith(("http://", "https://")):
            raise wrong("server", f": expected a URL such as http://host/v2/models/pneumonia, got {self.server!r}.")
        for field in fields(self):
            if field.type is int and (number := getattr(self, field.name)) < 1:
                raise wrong(field.name, f": expected at least 1, got {number}.")


@dataclass(frozen=True, kw_only=True)
class Settings(FindingSettings):
    """Every setting of the function."""

    s3_endpoint: str
    s3_region: str = "us-east-1"
    s3_credentials: Path = Path("/etc/risk-assessment/object-store")  # access_key, secret_key and, optionally, ca.crt
    processed_suffix: str = "-processed"
    anonymized_suffix: str = "-anonymized"
    names: str = "pseudonymous"  # or original, which shows the source's names in the bucket of results
    anonymize: str = "all"  # or unsure, or none: of which assessed studies an anonymized copy is stored
    policy: Path = POLICY
    pseudonym_key: Path = Path("/etc/risk-assessment/pseudonyms/key")  # a secret of the site, at least 32 bytes
    database: Path | None = None  # host, port, dbname, user, password and, optionally, ca.crt; None: no database
    transfers: int = 8  # objects fetched and stored at the same time
    port: int = 8080
    shutdown_seconds: int = 25

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.s3_endpoint.startswith(("http://", "https://")):
            raise wrong("s3_endpoint", f": expected a URL such as https://store:443, got {self.s3_endpoint!r}.")
        for name in ("processed_suffix", "anonymized_suffix"):
            if not getattr(self, name):
                raise wrong(name, " is empty: results would land in the bucket they come from.")
        if self.processed_suffix == self.anonymized_suffix:
            raise wrong("processed_suffix", " and _ANONYMIZED_SUFFIX are the same: they must differ.")
        for name, choices in (("anonymize", ANONYMIZE), ("names", NAMES)):
            if (value := getattr(self, name)) not in choices:
                raise wrong(name, f": expected {', '.join(choices)}, got {value!r}.")


Kind = TypeVar("Kind", bound=FindingSettings)


def finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def read_settings(environment: Mapping[str, str], kind: type[Kind]) -> Kind:
    """Raises SettingsError naming the variable."""
    parsers: dict[Any, tuple[str, Callable[[str], Any]]] = {
        str: ("text", str), int: ("int", int), float: ("float", finite), float | None: ("float", finite),
        Path: ("a path", Path), Path | None: ("a path", Path),
    }  # fmt: skip
    values: dict[str, Any] = {}
    for field in fields(kind):
        text = environment.get(PREFIX + field.name.upper())
        if text is None:
            continue
        expected, parse = parsers[field.type]
        try:
            values[field.name] = parse(text)
        except ValueError:
            raise wrong(field.name, f": expected {expected}, got {text!r}.") from None
    if kind is Settings and "s3_endpoint" not in values:
        raise wrong("s3_endpoint", " is not set: expected the URL of the object store.")
    return kind(**values)
