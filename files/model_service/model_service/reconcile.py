# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds what was forgotten: objects and studies older than the grace time without an outcome. Announces them again.

An object in the bucket may have no row, as its event was lost. A row may have no object any more: deleted or
overwritten: announced again, the function finds its record or says that it is gone. Each time that one is announced
again, the pause before the next time doubles.
"""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from .announce import announce, s3_event
from .database import Database
from .events import Study
from .pseudonyms import Pseudonyms
from .store import Listed, S3Store

MOST_DOUBLINGS = 7
COLUMNS = "key, etag, version_id, outcome, received_at, reannounced, reannounced_at, announced_at, bytes"
LISTED = f"select {COLUMNS} from studies where bucket = %s and key = any(%s)"  # noqa: S608 - a name of this file
UNFINISHED = f"""
select {COLUMNS} from studies where outcome is null and bucket = %s and received_at <= %s order by received_at
"""  # noqa: S608
REANNOUNCED = """
insert into studies (study, image, bucket, key, etag, announced_at, received_at, bytes, reannounced, reannounced_at)
values (%(study)s, %(image)s, %(bucket)s, %(key)s, %(etag)s, %(announced_at)s, %(at)s, %(bytes)s, 1, %(at)s)
on conflict (study) do update set reannounced = studies.reannounced + 1, reannounced_at = excluded.reannounced_at
"""
NOTED = "insert into reconciliations (at, listed, missing, reannounced, seconds) values (%s, %s, %s, %s, %s)"


@dataclass(frozen=True)
class Known:
    """What the database holds of a study."""

    key: str
    etag: str | None
    version_id: str | None
    outcome: str | None
    received_at: datetime
    reannounced: int
    reannounced_at: datetime | None
    announced_at: datetime | None
    bytes: int | None

    def due(self, now: datetime, grace: timedelta) -> bool:
        """Whether it has waited long enough since anyone announced it."""
        last = max(self.received_at, self.reannounced_at or self.received_at)
        return now - last >= grace * 2 ** min(self.reannounced, MOST_DOUBLINGS)


@dataclass
class Reconciler:
    """`most` bounds what one run announces: the topic has other work."""

    store: S3Store
    database: Database
    pseudonyms: Pseudonyms
    sink: str
    grace: timedelta
    most: int
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    listed: int = 0
    missing: int = 0
    reannounced: int = 0
    seconds: float = 0

    def run(self, bucket: str) -> None:
        """Raises TryLater; what was announced before stays noted."""
        begin, seen = time.monotonic(), set[tuple[str, str | None]]()
        for page in self.store.pages(bucket):
            self.listed += len(page)
            old = [item for item in page if self.now - item.modified >= self.grace]
            known = self.known(LISTED, bucket, [item.key for item in old]) if old else {}
            for item in old:
                study = known.get((item.key, item.etag))
                if study is None or study.outcome is None:
                    seen.add((item.key, item.etag))
                    self.settle(Study(bucket, item.key, item.etag, study and study.version_id), item, study)
        for place, study in self.known(UNFINISHED, bucket, self.now - self.grace).items():
            if place not in seen:
                item = Listed(study.key, study.etag or "", study.bytes or 0, study.announced_at or study.received_at)
                self.settle(Study(bucket, study.key, study.etag, study.version_id), item, study)
        self.seconds = round(time.monotonic() - begin, 3)
        noted = (self.now, self.listed, self.missing, self.reannounced, self.seconds)
        self.database.run("note the reconciliation", lambda connection: connection.execute(NOTED, noted))

    def known(self, query: str, *values: object) -> dict[tuple[str, str | None], Known]:
        """Studies by key and eTag."""
        rows = self.database.run("look studies up", lambda connection: connection.execute(query, values).fetchall())
        return {(key, etag): Known(key, etag, *rest) for key, etag, *rest in rows}

    def settle(self, study: Study, item: Listed, known: Known | None) -> None:
        """Counts a study without an outcome, and announces it again if it is due."""
        self.missing += 1
        if self.reannounced >= self.most or (known and not known.due(self.now, self.grace)):
            return
        announce(self.sink, s3_event(study, item.size, item.modified), "reconciler")
        self.reannounced += 1
        row = {
            "study": study.name, "image": self.pseudonyms.name("image", study.bucket, study.key),
            "bucket": study.bucket, "key": study.key, "etag": study.etag, "announced_at": item.modified,
            "at": self.now, "bytes": item.size,
        }  # fmt: skip
        self.database.run("note what was announced again", lambda connection: connection.execute(REANNOUNCED, row))
