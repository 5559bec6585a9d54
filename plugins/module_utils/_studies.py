# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which files are studies, and what became of them. Pure: names, bytes and records in, rows of a report out.

A study is one X-ray object; its identity here is key and eTag. Its record is the JSON object that the risk assessment
writes beside the processed image.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

IMAGE_TYPES = {
    ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".jpe": "image/jpeg", ".png": "image/png", ".bmp": "image/bmp",
    ".tif": "image/tiff", ".tiff": "image/tiff", ".gif": "image/gif", ".dcm": "application/dicom",
    ".dicom": "application/dicom",
}  # fmt: skip
# (offset, bytes, type): an image by its content, whatever its name is.
SIGNATURES = (
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (128, b"DICM", "application/dicom"),
)
HEAD = 132  # bytes that image_type needs
# As the function's names.py has them.
SHOWN = ("jpg", "jpeg", "png")
MADE_PNG = ("dcm", "dicom", "ima", "tif", "tiff")
LONGEST_KEY = 1024  # bytes, S3's limit


class StudyError(Exception):
    """A file that cannot become an object, in a sentence."""


@dataclass(frozen=True)
class Upload:
    """A file to be uploaded as `key`."""

    path: str
    key: str
    content_type: str


@dataclass(frozen=True)
class Record:
    """What the risk assessment recorded of a study, in the object `written`; no label and no risk if rejected."""

    bucket: str
    key: str
    etag: str
    outcome: str
    label: str | None
    risk: float | None
    reasons: tuple[str, ...]
    written: str
    modified: str

    @property
    def study(self) -> tuple[str, str, str]:
        return self.bucket, self.key, self.etag


def image_type(name: str, head: bytes) -> str | None:
    """Media type of an image by its first bytes, else by its name; None for a file that is no image by either."""
    for offset, signature, media_type in SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return media_type
    return IMAGE_TYPES.get(PurePath(name).suffix.lower())


def key_of(path: str, prefix: str) -> str:
    """The object key of a file by its path below the folder. Raises StudyError."""
    key = prefix + path
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        raise StudyError(f"The name of file {path!r} is not UTF-8, which an object key must be: rename it.") from None
    if size > LONGEST_KEY:
        raise StudyError(
            f"The name of file {path!r} makes an object key of {size} bytes; {LONGEST_KEY} are allowed: shorten it."
        )
    return key


def check_unique(uploads: list[Upload]) -> None:
    seen: dict[str, str] = {}
    for upload in uploads:
        if upload.key in seen:
            raise StudyError(
                f"Files {seen[upload.key]} and {upload.path} would both become object {upload.key!r}: rename one."
            )
        seen[upload.key] = upload.path


def record_key(bucket: str, key: str, pseudonym_key: str | None) -> str:
    """Where the risk assessment records an object: under a pseudonym, or beside its name without a key for one."""
    if not pseudonym_key:
        return f"{original_key(key)}.json"
    extension = key.rpartition(".")[2].lower()
    return f"{pseudonym(pseudonym_key, bucket, key)}-processed.{extension if extension in SHOWN else 'png'}.json"


def pseudonym(secret: str, bucket: str, key: str) -> str:
    """An image's name outside the source bucket, as the function's pseudonyms.py makes it."""
    identity = "".join(f"{len(part)}:{part}" for part in ("image", bucket, key))
    digest = hmac.digest(secret.strip().encode(), identity.encode("utf-8", "surrogatepass"), hashlib.sha256)
    return base64.b32encode(digest[:10]).decode().lower()


def original_key(key: str) -> str:
    """The original demo's rule: `ward/a.jpeg` is processed to `ward/a-processed.jpeg`.

    What browsers cannot show is stored as PNG, with a second ending: `a.dcm` as `a-processed.dcm.png`.
    """
    folder, slash, name = key.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    shown = ".png" if extension.lower() in MADE_PNG else ""
    return f"{folder}{slash}{stem}-processed{dot}{extension}{shown}"


def read_record(data: bytes, written: str, modified: str) -> Record | None:
    """A record from the JSON object `written`; None for any other JSON."""
    try:
        entry = json.loads(data)
        bucket, key, etag = (str(entry[name] or "") for name in ("bucket", "key", "etag"))
        outcome, reasons = entry.get("outcome", "assessed"), tuple(map(str, entry.get("reasons", ())))
        label, risk = entry["label"], entry["risk"]
        if outcome == "assessed":
            label, risk = str(label), float(risk)
        return Record(bucket, key, etag, outcome, label, risk, reasons, written, modified)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def row(
    key: str, outcome: str, reason: str = "", record: Record | None = None, seconds: float | None = None
) -> dict[str, Any]:
    """One study of the report. `outcome` is assessed, rejected, dead-lettered, timeout, not-uploaded or planned."""
    return {
        "key": key,
        "label": record.label if record else None,
        "risk": record.risk if record else None,
        "seconds": seconds,
        "outcome": outcome,
        "reason": reason,
        "record": record.written if record else None,
    }


def seconds_between(earlier: str, later: str) -> float | None:
    """Seconds between two ISO 8601 times, None when one is missing; never negative."""
    if not earlier or not later:
        return None
    return max(0.0, round((moment(later) - moment(earlier)).total_seconds(), 3))


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def summary(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Number of studies by outcome, {"assessed": 198, "dead-lettered": 2}."""
    outcomes = [entry["outcome"] for entry in rows]
    return {outcome: outcomes.count(outcome) for outcome in sorted(set(outcomes))}
