# SPDX-License-Identifier: GPL-3.0-or-later
"""Names that stand for patients, images and UIDs: keyed, so that only a holder of the site's key can tell for whom."""

import base64
import hashlib
import hmac
from pathlib import Path

from .errors import TryLater

MIN_KEY_BYTES = 32
MAX_DAYS = 3650


class Pseudonyms:
    """HMAC-SHA256 with the key in a file, which is read when it is first needed: it may come after the process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.cached: bytes | None = None

    def key(self) -> bytes:
        """Raises TryLater where there is no usable key."""
        if self.cached is None:
            try:
                key = self.path.read_bytes().strip()
            except OSError as error:
                raise TryLater(
                    f"No key for pseudonyms: expected at least {MIN_KEY_BYTES} secret bytes in {self.path}, "
                    f"got: {error.strerror}. See RISK_ASSESSMENT_PSEUDONYM_KEY."
                ) from None
            if len(key) < MIN_KEY_BYTES:
                raise TryLater(
                    f"The key for pseudonyms is too short: expected at least {MIN_KEY_BYTES} bytes in {self.path}, "
                    f"got {len(key)}."
                )
            self.cached = key
        return self.cached

    def digest(self, kind: str, *identity: str) -> bytes:
        """32 bytes; the lengths keep two identities from running into one another."""
        text = "".join(f"{len(part)}:{part}" for part in (kind, *identity))
        return hmac.digest(self.key(), text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def name(self, kind: str, *identity: str) -> str:
        """16 letters and digits (80 bits), for names of files and as a patient's identifier."""
        return base64.b32encode(self.digest(kind, *identity)[:10]).decode().lower()

    def uid(self, uid: str) -> str:
        """A UID of the kind that needs no registration (PS3.5, B.2), at most 44 characters."""
        return f"2.25.{int.from_bytes(self.digest('uid', uid)[:16], 'big')}"

    def days(self, patient: str) -> int:
        """By how many days, 1 to 3650, this patient's dates are moved back."""
        return 1 + int.from_bytes(self.digest("days", patient)[:8], "big") % MAX_DAYS
