# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Uploads studies and follows each until it is recorded or dead-lettered. Asks _rgw and _kafka, decides by _studies."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Protocol

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _studies as studies
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._dead_letters import (
    Letter,
    Message,
    read_letters,
)
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._rgw import RgwError, Stored
from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils._studies import Record, StudyError, Upload

Study = tuple[str, str, str]


class Bucket(Protocol):
    """What is needed of _rgw.Gateway."""

    def put_object(self, bucket: str, key: str, data: bytes, content_type: str) -> str:
        """The object's eTag."""

    def get_object(self, bucket: str, key: str) -> bytes:
        """The object's bytes."""

    def list_objects(self, bucket: str, prefix: str = "") -> dict[str, Stored]:
        """Objects by key."""


class Letters(Protocol):
    """What is needed of _kafka.Topic."""

    def read(self, timeout: float) -> list[Message]:
        """What has come since the last call."""


def find_uploads(folder: str | None, files: list[str], prefix: str) -> list[Upload]:
    """Every image of a folder and below it, or the files as they are. Raises StudyError."""
    if folder is None:
        named = [(path, os.path.basename(path)) for path in files]
    elif not os.path.isdir(folder):
        raise StudyError(f"folder must be a folder with images, but {folder} is none.")
    else:
        paths = sorted(os.path.join(parent, name) for parent, _folders, names in os.walk(folder) for name in names)
        named = [(path, os.path.relpath(path, folder).replace(os.sep, "/")) for path in paths if os.path.isfile(path)]
    uploads = []
    for path, name in named:
        media_type = studies.image_type(name, head_of(path))
        if media_type or folder is None:
            uploads.append(Upload(path, studies.key_of(name, prefix), media_type or "application/octet-stream"))
    if not uploads:
        raise StudyError(f"Found no image below {folder} (JPEG, PNG or DICOM by content, or an image's name ending).")
    studies.check_unique(uploads)
    return uploads


def head_of(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(studies.HEAD)
    except OSError as error:
        raise StudyError(f"Could not read {path!r}: {error.strerror}.") from None


@dataclass
class Sent:
    """Uploads by their study, and sentences on those that failed by key."""

    done: dict[Study, Upload] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def upload(store: Bucket, bucket: str, uploads: list[Upload], concurrency: int, rate: float) -> Sent:
    """Uploads with `concurrency` threads, at most `rate` a second (0: as fast as they go)."""
    sent, started = Sent(), time.monotonic()

    def put(one: Upload) -> None:
        try:
            with open(one.path, "rb") as file:
                etag = store.put_object(bucket, one.key, file.read(), one.content_type)
            sent.done[bucket, one.key, etag] = one
        except OSError as error:
            sent.failed[one.key] = f"Could not read {one.path}: {error.strerror}."
        except RgwError as error:
            sent.failed[one.key] = str(error)

    with ThreadPoolExecutor(concurrency) as pool:
        for number, one in enumerate(uploads):
            if rate:
                time.sleep(max(0.0, started + number / rate - time.monotonic()))
            pool.submit(put, one)
    return sent


class Results:
    """The records of studies, each asked for by its name: what it costs depends on the studies, not on the bucket."""

    def __init__(self, reader: Bucket, bucket: str, pseudonym_key: str | None, concurrency: int) -> None:
        self.reader, self.bucket, self.pseudonym_key = reader, bucket, pseudonym_key
        self.concurrency = concurrency

    def of(self, sent: set[Study]) -> list[Record]:
        with ThreadPoolExecutor(self.concurrency) as pool:
            return [record for record in pool.map(self.read, sent) if record and record.study in sent]

    def read(self, study: Study) -> Record | None:
        """What is recorded of the object now: the same X-ray stored again is the same study."""
        bucket, key, _etag = study
        name = studies.record_key(bucket, key, self.pseudonym_key)
        stored = self.reader.list_objects(self.bucket, name).get(name)
        if stored is None:
            return None
        try:
            return studies.read_record(self.reader.get_object(self.bucket, name), name, stored.modified)
        except RgwError as error:
            if error.code == "NoSuchKey":  # removed since it was listed
                return None
            raise


@dataclass
class Outcome:
    """What became of the studies: records of them, dead letters of them."""

    recorded: dict[Study, Record] = field(default_factory=dict)
    dead: dict[Study, Letter] = field(default_factory=dict)

    def settled(self, study: Study) -> bool:
        return study in self.recorded or study in self.dead


def follow(
    sent: Sent, results: Results, letters: Letters | None, timeout: float, interval: float,
    sleep: Callable[[float], None] = time.sleep, progress_file: str | None = None,
) -> Outcome:  # fmt: skip
    """Looks every `interval` seconds until each study is settled, for at most `timeout` seconds."""
    outcome, deadline = Outcome(), time.monotonic() + timeout
    while True:
        waiting = {study for study in sent.done if not outcome.settled(study)}
        outcome.recorded.update((record.study, record) for record in results.of(waiting))
        for letter in read_new(letters):
            study = letter.bucket, letter.key, letter.etag
            if study in sent.done:
                outcome.dead[study] = letter
        settled = sum(outcome.settled(study) for study in sent.done)
        if progress_file:
            write_progress(progress_file, settled, len(sent.done))
        if settled == len(sent.done) or time.monotonic() > deadline:
            return outcome
        sleep(interval)


def write_progress(path: str, done: int, total: int) -> None:
    """Replaced as a whole, so that whoever reads it never sees half of it. The progress is worth no failure."""
    try:
        with open(f"{path}.new", "w", encoding="ascii") as file:
            file.write(f"{done} {total}")
        os.replace(f"{path}.new", path)
    except OSError:
        pass


def read_new(letters: Letters | None) -> list[Letter]:
    if letters is None:
        return []
    return [letter for message in letters.read(0.1) for letter in read_letters(message)]


def report(uploads: list[Upload], sent: Sent, outcome: Outcome, uploaded: dict[str, Stored]) -> list[dict[str, Any]]:
    """A row for each upload, in their order. `uploaded` lists the source bucket: its clock is that of the results."""
    study_of = {one.key: study for study, one in sent.done.items()}
    rows = []
    for one in uploads:
        study = study_of.get(one.key)
        start = uploaded[one.key].modified if one.key in uploaded else ""
        if study is None:
            rows.append(studies.row(one.key, "not-uploaded", sent.failed.get(one.key, "")))
        elif study in outcome.recorded:
            record = outcome.recorded[study]
            reason = " ".join([*record.reasons, *(["Recorded before."] if record.modified < start else [])])
            seconds = studies.seconds_between(start, record.modified)
            rows.append(studies.row(one.key, record.outcome, reason, record, seconds))
        elif study in outcome.dead:
            letter = outcome.dead[study]
            rows.append(
                studies.row(one.key, "dead-lettered", letter.reason, None, studies.seconds_between(start, letter.time))
            )
        else:
            rows.append(studies.row(one.key, "timeout", "Neither recorded nor dead-lettered in time."))
    return rows
