# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a study's pictures lie, and who may see which. Keys of objects never leave the server."""

import json
from typing import Any

from .pictures import Missing, Pictures, Previews
from .settings import Settings

RECORD_BYTES = 1024 * 1024
OPEN_TO_ALL = frozenset({"anonymized", "heatmap"})


class Sources:
    """The name of an uploaded object is in no table that the page may read: it is in the record of its result."""

    open_to_all = OPEN_TO_ALL

    def __init__(self, pictures: Pictures, settings: Settings) -> None:
        self.pictures, self.settings = pictures, settings
        self.records = Previews(RECORD_BYTES)

    async def find(self, row: Any, kind: str) -> tuple[str, str]:
        """(bucket, key). Raises Missing or Unavailable."""
        source = self.settings.source_bucket
        if kind == "source":
            return source, await self.source_key(row)
        suffix = self.settings.anonymized_suffix if kind == "anonymized" else self.settings.processed_suffix
        key = row[f"{kind}_key"]
        if not key:
            raise Missing(NONE[kind])
        return source + suffix, key

    async def source_key(self, row: Any) -> str:
        key = row["processed_key"]
        if not key:
            raise Missing(NONE["source"])

        async def make() -> bytes:
            return await self.pictures.whole(
                self.settings.source_bucket + self.settings.processed_suffix, f"{key}.json"
            )

        record = json.loads(await self.records.get((key, row["recorded_at"]), make))
        if record.get("bucket") != self.settings.source_bucket:
            raise Missing("This study comes from another bucket.")
        return str(record["key"])


NONE = {
    "anonymized": "No de-identified copy of this study is stored.",
    "heatmap": "There is no heat map of this study.",
    "processed": "This study has no processed image.",
    "source": "This study is not recorded yet.",
}
