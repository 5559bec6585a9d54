# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed cookies: what the server said of a visitor, until when, and nothing that it would have to remember."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .settings import SettingsError

MIN_KEY_BYTES = 32


@dataclass(frozen=True)
class Signer:
    key: bytes

    def sign(self, content: dict[str, Any], seconds: float) -> str:
        body = base64.urlsafe_b64encode(json.dumps(content | {"until": time.time() + seconds}).encode()).decode()
        return f"{body}.{self.mark(body)}"

    def read(self, text: str | None) -> dict[str, Any] | None:
        """What was signed; None when it was not by us, or is over."""
        body, _, mark = (text or "").rpartition(".")
        if not body or not hmac.compare_digest(mark.encode(), self.mark(body).encode()):
            return None
        content = json.loads(base64.urlsafe_b64decode(body))
        return content if content["until"] > time.time() else None

    def mark(self, body: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self.key, body.encode(), hashlib.sha256)).decode()


def read_signer(folder: Path) -> Signer:
    """Raises SettingsError."""
    try:
        key = (folder / "session.key").read_bytes().strip()
    except OSError as error:
        raise SettingsError(f"GALLERY_SECRETS: cannot read {error.filename}: {error.strerror}.") from None
    if len(key) < MIN_KEY_BYTES:
        raise SettingsError(f"{folder}/session.key: expected at least {MIN_KEY_BYTES} bytes, got {len(key)}.")
    return Signer(key)
