# SPDX-License-Identifier: GPL-3.0-or-later
"""X-rays on disk, read as the service reads those of a bucket: the same limits, the same decoder, the same model."""

from pathlib import Path

from . import images
from .errors import Refused
from .finding import Finder, build_finder
from .model import ModelError
from .settings import FindingSettings, SettingsError


def read_xray(path: Path, settings: FindingSettings) -> images.Xray:
    """Raises Refused."""
    try:
        size = path.stat().st_size
        if size > settings.max_bytes:
            raise Refused(f"Expected a file of at most {settings.max_bytes} bytes, got {size}.")
        data = path.read_bytes()
    except OSError as error:
        raise Refused(f"Cannot read the file: {error.strerror}.") from None
    return images.read(data, settings.max_pixels)


def load_finder(settings: FindingSettings) -> Finder:
    """Raises SettingsError."""
    try:
        return build_finder(settings)
    except ModelError as error:
        raise SettingsError(f"RISK_ASSESSMENT_MODEL: {error}.") from None
