# SPDX-License-Identifier: GPL-3.0-or-later
"""Copies of the database in the object store: one object a dump, named by when it was made."""

import re
from datetime import UTC, datetime
from pathlib import Path

from .errors import Refused
from .store import S3Store

PREFIX = "results/"
NAME = re.compile(r"results/\d{8}T\d{6}Z\.dump")
DUMP = "application/octet-stream"


def keep(store: S3Store, bucket: str, file: Path) -> str:
    """Stores pg_dump's file; returns its key. Raises Refused or TryLater."""
    if not file.is_file() or file.stat().st_size == 0:
        raise Refused(f"Expected pg_dump's file at {file}, but there is none or it is empty.")
    key = f"{PREFIX}{datetime.now(UTC):%Y%m%dT%H%M%SZ}.dump"
    with file.open("rb") as dump:
        store.put(bucket, key, dump, DUMP)
    return key


def names(store: S3Store, bucket: str) -> list[str]:
    """Keys of all dumps, oldest first."""
    return [item.key for page in store.pages(bucket, PREFIX) for item in page if NAME.fullmatch(item.key)]


def fetch(store: S3Store, bucket: str, key: str, file: Path) -> str:
    """Puts a dump, or the latest one for key "latest", into a file; returns its key. Raises Refused or TryLater."""
    there = names(store, bucket)
    if not there or (key != "latest" and key not in there):
        raise Refused(f"Expected the backup {key} in bucket {bucket}, which has {', '.join(there[-5:]) or 'none'}.")
    found = there[-1] if key == "latest" else key
    store.download(bucket, found, file)
    return found
