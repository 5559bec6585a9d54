# SPDX-License-Identifier: GPL-3.0-or-later
"""Forgets the studies of one folder wholly: their objects, what was made of them, their rows and their dead letters.

For studies that only tried whether all works. Needs the rights of the owner of buckets and tables, which no component
has. An event that comes after its study was forgotten would be a new study: hence the wait for rows to be complete.
"""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .database import Database, Row
from .errors import Refused
from .store import S3Store

if TYPE_CHECKING:
    from psycopg import Connection

PAUSE_SECONDS = 0.5
# A row has bytes once the arrival was counted, and an outcome once the function is done.
ROWS = """
select key, outcome is not null and bytes is not null as complete, processed_key, heatmap_key, anonymized_key
from studies where bucket = %s and starts_with(key, %s)
"""
LETTERS = "delete from dead_letters where starts_with(study, %s)"
STUDIES = "delete from studies where bucket = %s and starts_with(key, %s)"


@dataclass(frozen=True)
class Folder:
    """Where X-rays lie whose keys begin with `prefix`, and where their results do."""

    bucket: str
    prefix: str
    processed: str
    anonymized: str

    def __post_init__(self) -> None:
        if not self.prefix.strip("/") or not self.prefix.endswith("/"):
            raise Refused(f"Expected a folder such as validate/ to forget, got {self.prefix!r}.")


def forget(store: S3Store, database: Database, folder: Folder, wait: float) -> dict[str, int]:
    """Numbers of what was forgotten. After `wait` seconds that is what is known by then. Raises Refused or TryLater."""
    deadline = time.monotonic() + wait
    while True:
        keys = [item.key for page in store.pages(folder.bucket, folder.prefix) for item in page]
        rows = rows_of(database, folder)
        if set(keys) <= {row["key"] for row in rows if row["complete"]} or time.monotonic() > deadline:
            break
        time.sleep(PAUSE_SECONDS)
    places = [*((folder.bucket, key) for key in keys), *(place for row in rows for place in made_of(row, folder))]
    for place in places:
        store.remove(*place)
    return {"objects": len(places)} | database.run("forget studies", lambda connection: delete(connection, folder))


def rows_of(database: Database, folder: Folder) -> list[Row]:
    from psycopg.rows import dict_row

    place = (folder.bucket, folder.prefix)
    return database.run(
        "list the studies of a folder",
        lambda connection: connection.cursor(row_factory=dict_row).execute(ROWS, place).fetchall(),
    )


def made_of(row: Row, folder: Folder) -> list[tuple[str, str]]:
    """The record last: as long as it is there, the study is not assessed again."""
    processed, heatmap, copy = row["processed_key"], row["heatmap_key"], row["anonymized_key"]
    places = [(folder.anonymized, copy), (folder.processed, heatmap), (folder.processed, processed)]
    record = [(folder.processed, f"{processed}.json")] if processed else []
    return [(bucket, key) for bucket, key in places if key] + record


def delete(connection: "Connection[Any]", folder: Folder) -> dict[str, int]:
    letters = connection.execute(LETTERS, [f"{folder.bucket}/{folder.prefix}"])
    studies = connection.execute(STUDIES, [folder.bucket, folder.prefix])
    return {"rows": studies.rowcount, "dead_letters": letters.rowcount}
