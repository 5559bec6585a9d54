# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded of a study and under which names. Pure."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from .events import Study

MADE_PNG = ("dcm", "dicom", "ima", "tif", "tiff")


@dataclass(frozen=True)
class Result:
    """One study's record; `risk` is a probability, times are ISO 8601 in UTC, stages are seconds by name."""

    study: str
    bucket: str
    key: str
    etag: str | None
    label: str
    risk: float
    model_version: str
    processed_key: str
    received_at: str
    recorded_at: str
    seconds: float
    stages: dict[str, float] = field(default_factory=dict)
    anonymized_key: str | None = None
    outcome: str = "assessed"

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()


def recorded_study(record: bytes | None) -> str | None:
    """The study that a stored record tells of; None where there is no record, or one that is damaged."""
    try:
        return str(json.loads(record)["study"]) if record else None
    except (ValueError, KeyError, TypeError):
        return None


def processed_key(study: Study) -> str:
    """`<stem>-processed.<ext>` in the same folder: `ward 3/a.b.jpeg` becomes `ward 3/a.b-processed.jpeg`.

    What browsers cannot show is stored as PNG, and says so behind its own extension, so that `a.dcm` and `a.png`
    do not meet: `a-processed.dcm.png`.
    """
    folder, slash, name = study.key.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    if not stem:
        stem, dot, extension = name, "", ""
    shown = ".png" if extension.lower() in MADE_PNG else ""
    return f"{folder}{slash}{stem}-processed{dot}{extension}{shown}"


def utc_text(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
