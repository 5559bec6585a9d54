# SPDX-License-Identifier: GPL-3.0-or-later
"""The database of results: connections to it, and the row of a study that was recorded.

The record in the object store says what is true of a study; its row is made from that record, so that any later
announcement of the study repairs a row that is missing. SQL takes parameters only.
"""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import Refused, TryLater

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg_pool import ConnectionPool

Answer = TypeVar("Answer")
Row = dict[str, Any]
WAIT_SECONDS = 5
RECORDED = (
    "study", "image", "bucket", "key", "etag", "received_at", "assessed_at", "deidentified_at", "recorded_at",
    "outcome", "label", "risk", "model_version", "reasons", "processed_key", "heatmap_key", "anonymized_key", "seconds",
    "stages",
)  # fmt: skip
# What was told on arrival stays, but for the earlier of two times; a record that is in its row already changes nothing.
SAVE = f"""
insert into studies ({", ".join(RECORDED)}) values ({", ".join(f"%({name})s" for name in RECORDED)})
on conflict (study) do update set received_at = least(studies.received_at, excluded.received_at),
{", ".join(f"{name} = excluded.{name}" for name in RECORDED[6:])}
where studies.recorded_at is distinct from excluded.recorded_at or studies.outcome is distinct from excluded.outcome
"""  # noqa: S608 - names of this file


class Database:
    """A pool of connections, made at first use, with the keys of a mounted Secret (see `settings`).

    Its methods block, may be called from several threads, and raise Refused or TryLater.
    """

    def __init__(self, folder: Path, connections: int = 4) -> None:
        self.folder, self.connections = folder, connections
        self.lock = threading.Lock()
        self.made: ConnectionPool | None = None

    def run(self, deed: str, work: "Callable[[Connection[Any]], Answer]", wait: float = WAIT_SECONDS) -> Answer:
        """What `work` returns; what it changed is committed. Waits for a connection for `wait` seconds."""
        from psycopg import DataError, Error
        from psycopg_pool import PoolTimeout

        try:
            with self.pool().connection(timeout=wait) as connection:
                return work(connection)
        except PoolTimeout:
            raise TryLater(f"Could not {deed}: no connection to the database within {wait:g} s.") from None
        except DataError:
            raise Refused(
                f"Could not {deed}: the database cannot hold a value of it, such as a NUL in a name."
            ) from None
        except Error as error:
            # An error's own text may hold values of the row, hence only its kind.
            raise TryLater(f"Could not {deed}: {type(error).__name__} ({error.sqlstate}) from the database.") from None

    def pool(self) -> "ConnectionPool":
        from psycopg_pool import ConnectionPool

        with self.lock:
            if self.made is None:
                self.made = ConnectionPool(
                    "", kwargs=lambda: settings(self.folder), min_size=0, max_size=self.connections, max_idle=60,
                    timeout=WAIT_SECONDS, reconnect_timeout=WAIT_SECONDS, name="results", open=True,
                )  # fmt: skip
            return self.made

    def save(self, record: bytes, image: str) -> None:
        """The row of a recorded study becomes what its record says."""
        row = row_of(json.loads(record), image)
        self.run("save a result", lambda connection: connection.execute(SAVE, row))

    def close(self) -> None:
        if self.made is not None:
            self.made.close()


def row_of(record: Mapping[str, Any], image: str) -> Row:
    """A record's columns; records of before there was a database lack some, such as the pseudonym `image`."""
    from psycopg.types.json import Jsonb

    row: Row = {name: record.get(name) for name in RECORDED}
    return row | {"image": image, "reasons": record.get("reasons") or [], "stages": Jsonb(record.get("stages") or {})}


def settings(folder: Path) -> dict[str, Any]:
    """libpq's settings, read anew for each connection: passwords change. Raises TryLater."""
    try:
        found = {name: (folder / name).read_text().strip() for name in ("host", "port", "dbname", "user", "password")}
    except OSError as error:
        raise TryLater(f"RISK_ASSESSMENT_DATABASE: cannot read {error.filename}: {error.strerror}.") from None
    authority = folder / "ca.crt"
    return found | {
        "sslmode": "verify-full",
        "sslrootcert": str(authority) if authority.exists() else "system",
        "connect_timeout": 3,
        # A server whose pod was killed says no word: without these an answer is waited for two hours.
        "tcp_user_timeout": 10_000,
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "options": "-c statement_timeout=20000",
        "application_name": "risk-assessment",
    }
