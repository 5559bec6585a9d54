# SPDX-License-Identifier: GPL-3.0-or-later
"""What is recorded of a study. Pure."""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime


@dataclass(frozen=True, kw_only=True)
class Result:
    """One study's record; `risk` is a probability, times are ISO 8601 in UTC, stages are seconds by name.

    `outcome` is assessed or rejected; what is rejected has `reasons`, and neither label nor risk.
    """

    study: str
    image: str
    bucket: str
    key: str
    etag: str | None
    outcome: str
    label: str | None
    risk: float | None
    reasons: tuple[str, ...]
    model_version: str
    processed_key: str
    heatmap_key: str | None
    anonymized_key: str | None
    received_at: str
    assessed_at: str
    deidentified_at: str | None
    recorded_at: str
    seconds: float
    stages: dict[str, float]

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), ensure_ascii=False).encode()


def utc_text(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
