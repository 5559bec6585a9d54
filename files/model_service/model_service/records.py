# SPDX-License-Identifier: GPL-3.0-or-later
"""The one record that a study has: looking for it, and putting it when several want to at the same time."""

import json
from dataclasses import dataclass

from .errors import TryLater
from .names import Place
from .results import Result
from .store import Store


@dataclass(frozen=True)
class Record:
    """What is stored at a record's place: of which study, its bytes and its eTag; None where there is nothing."""

    study: str | None = None
    data: bytes | None = None
    etag: str | None = None


def look(store: Store, place: Place) -> Record:
    found = store.recorded(place.bucket, place.record)
    return Record(study_of(found.data), found.data, found.etag) if found else Record()


def study_of(record: bytes) -> str | None:
    """None for a record that is damaged: it is replaced."""
    try:
        return str(json.loads(record)["study"])
    except (ValueError, KeyError, TypeError):
        return None


def put(store: Store, place: Place, result: Result, earlier: Record) -> bool:
    """Whether this result is the one that stays; not if another process recorded the same study meanwhile."""
    data = result.to_json()
    if store.record(place.bucket, place.record, data, earlier.etag):
        return True
    there = look(store, place)
    if there.study != result.study:
        raise TryLater("Another version of this object was recorded at the same time.")
    return there.data == data  # ours, when the answer to a first try was lost
