# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores again what was assessed last, to compare this image's model with what is recorded. Stores nothing."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from . import images
from .database import Database, Row
from .errors import Refused
from .events import Study
from .finding import Finder
from .store import Store

NEWEST = """
select bucket, key, etag, version_id, label, risk::float8 as risk, model_version from studies
where outcome = 'assessed' order by recorded_at desc limit %s
"""


AT_ONCE = 2  # decoded images take up to 160 MB each, and a pod's memory is made for few of them


@dataclass(frozen=True)
class Again:
    """What became of one study: `gone` from its bucket, `lost` (not scored any more, though it was), or `compared`."""

    outcome: str
    moved: float = 0.0
    relabelled: bool = False


def newest(database: Database, count: int) -> list[Row]:
    from psycopg.rows import dict_row

    return database.run(
        "list what was assessed last",
        lambda connection: connection.cursor(row_factory=dict_row).execute(NEWEST, [count]).fetchall(),
    )


def rescore(rows: Sequence[Row], store: Store, finder: Finder, max_pixels: int) -> dict[str, Any]:
    """How far the risks of the same images moved, and nothing that tells whose they are. Raises TryLater."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda row: again(row, store, finder, max_pixels), rows))
    moved = [one.moved for one in found if one.outcome == "compared"]
    return {
        "asked": len(rows),
        "compared": len(moved),
        "gone": sum(one.outcome == "gone" for one in found),
        "lost": sum(one.outcome == "lost" for one in found),
        "relabelled": sum(one.relabelled for one in found),
        "drift": round(sum(moved) / len(moved), 4) if moved else 0.0,
        "largest": round(max(moved, default=0.0), 4),
        "model_version": finder.model.version,
        "recorded_by": sorted({row["model_version"] for row in rows}),
    }


def again(row: Row, store: Store, finder: Finder, max_pixels: int) -> Again:
    try:
        data = store.fetch(Study(row["bucket"], row["key"], row["etag"], row["version_id"])).data
    except Refused:
        return Again("gone")
    try:
        finding = finder.find(images.read(data, max_pixels))
    except Refused:
        return Again("lost")
    if finding.risk is None:
        return Again("lost")
    return Again("compared", abs(finding.risk - row["risk"]), finding.label != row["label"])
