# SPDX-License-Identifier: GPL-3.0-or-later
"""Studies as the page may show them, read from the view `studies_shown`. Holds its SQL; knows no HTTP and no pictures.

A study's public name is its pseudonym `image`. Keys of objects stay on the server: with original names they tell
whose X-ray it is.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

# ruff: noqa: S608 - what is put into SQL is this file's own text; values go as arguments
COLUMNS = """image, announced_at, received_at, assessed_at, deidentified_at, recorded_at, outcome, label, risk,
  model_version, reasons, processed_key, heatmap_key, anonymized_key, bytes, seconds, stages"""
LABELS = ("Normal", "Unsure", "Pneumonia")
OUTCOMES = ("waiting", "assessed", "rejected", "failed")
LOOKED_AT = 2000  # newest recorded studies among which the newest copies are looked for


@dataclass(frozen=True)
class Filter:
    """What a visitor asked to see; empty fields ask for everything."""

    label: str = ""
    outcome: str = ""
    model: str = ""

    @property
    def asked(self) -> dict[str, str]:
        return {name: value for name, value in vars(self).items() if value}

    def where(self) -> tuple[list[str], list[str]]:
        """SQL conditions and their arguments, numbered from $1."""
        conditions: list[str] = []
        arguments: list[str] = []
        for column, value in (("label", self.label), ("outcome", self.outcome), ("model_version", self.model)):
            if value == "waiting" and column == "outcome":
                conditions.append("outcome is null")
            elif value:
                arguments.append(value)
                conditions.append(f"{column} = ${len(arguments)}")
        return conditions, arguments


@dataclass(frozen=True)
class Cursor:
    """A place in the list: the newest first, `older` than it or, upwards, newer."""

    received_at: datetime
    image: str
    older: bool = True

    @property
    def text(self) -> str:
        return f"{int(self.received_at.timestamp() * 1_000_000)}.{self.image}"


@dataclass(frozen=True)
class Page:
    studies: list[Any]
    newer: Cursor | None
    older: Cursor | None


async def newest(database: Any, count: int) -> dict[str, list[Any]]:
    """The newest of each lane."""
    incoming = await database.fetch(
        f"select {COLUMNS} from studies_shown order by received_at desc, image desc limit $1", count
    )
    recorded = (
        f"select {COLUMNS} from studies_shown where recorded_at is not null order by recorded_at desc, image desc"
    )
    assessed = await database.fetch(f"{recorded} limit $1", count)
    copies = f"with latest as ({recorded} limit $1) select * from latest where anonymized_key is not null"
    deidentified = await database.fetch(f"{copies} order by recorded_at desc, image desc limit $2", LOOKED_AT, count)
    return {"incoming": incoming, "assessed": assessed, "deidentified": deidentified}


async def page(database: Any, wanted: Filter, cursor: Cursor | None, count: int) -> Page:
    """One page of the list, by key and not by offset: the thousandth page costs what the first does."""
    conditions, arguments = wanted.where()
    older = cursor is None or cursor.older
    if cursor:
        sign, first = ("<" if older else ">"), len(arguments) + 1
        conditions.append(f"(received_at, image) {sign} (${first}, ${first + 1})")
    where = f"where {' and '.join(conditions)}" if conditions else ""
    order = "desc" if older else "asc"
    values = [*arguments, *([cursor.received_at, cursor.image] if cursor else [])]
    rows = await database.fetch(
        f"select {COLUMNS} from studies_shown {where} order by received_at {order}, image {order} limit {count + 1}",
        *values,
    )
    more, rows = len(rows) > count, list(rows[:count])
    if not older:
        rows.reverse()
    if not rows:
        return Page([], None, None)
    before, after = (
        Cursor(rows[0]["received_at"], rows[0]["image"], False),
        Cursor(rows[-1]["received_at"], rows[-1]["image"]),
    )
    return Page(rows, before if (cursor and (older or more)) else None, after if (more or not older) else None)


async def by_image(database: Any, image: str) -> Any | None:
    """The latest study of an image: an object that is stored again is a study of its own."""
    return await database.fetchrow(
        f"select {COLUMNS} from studies_shown where image = $1 order by received_at desc limit 1", image
    )


async def neighbours(database: Any, row: Any) -> tuple[str | None, str | None]:
    """The images received right after and right before."""
    place = row["received_at"], row["image"]
    newer = await database.fetchval(
        "select image from studies_shown where (received_at, image) > ($1, $2) order by received_at, image limit 1",
        *place,
    )
    older = await database.fetchval(
        "select image from studies_shown where (received_at, image) < ($1, $2) "
        "order by received_at desc, image desc limit 1",
        *place,
    )
    return newer, older


async def changed(database: Any, images: list[str]) -> list[Any]:
    return await database.fetch(
        f"select distinct on (image) {COLUMNS} from studies_shown where image = any($1::text[]) "
        "order by image, received_at desc",
        images,
    )


def public(row: Any) -> dict[str, Any]:
    """What a browser is told of a study: no key of an object, whoever asks."""
    moment = {
        name: iso(row[f"{name}_at"]) for name in ("announced", "received", "assessed", "deidentified", "recorded")
    }
    return moment | {
        "image": row["image"],
        "outcome": row["outcome"] or "waiting",
        "label": row["label"],
        "risk": None if row["risk"] is None else round(float(row["risk"]), 4),
        "model": row["model_version"],
        "reasons": list(row["reasons"] or []),
        "bytes": row["bytes"],
        "seconds": row["seconds"],
        "anonymized": row["anonymized_key"] is not None,
        "heatmap": row["heatmap_key"] is not None,
        "processed": row["processed_key"] is not None,
        "version": version(row),
    }


def version(row: Any) -> str:
    """Another one for each result of an image, so that browsers may keep pictures."""
    moment = row["recorded_at"] or row["received_at"]
    return f"{int(moment.timestamp() * 1000):x}"


def iso(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z") if moment else None
