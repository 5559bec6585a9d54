# SPDX-License-Identifier: GPL-3.0-or-later
"""Dead letters: what a KafkaSource gave up, why, and for which studies; which are open, and how they are sent again.

Knative puts the last answer, cut to 1024 bytes and in Base64, into the extension knativeerrordata and its HTTP status
into knativeerrorcode; without an answer both are missing.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .announce import announce, cloud_event_headers
from .database import Database, Row
from .errors import Refused
from .events import Study, read_event, read_records, read_study

# What Knative tries again: anything else can never be assessed.
WORTH_A_RETRY = (404, 408, 409, 429)
FIRST_ERROR = re.compile(r'"error"\s*:\s*("(?:[^"\\]|\\.)*")')
SILENT = "The function did not answer."
OPEN = """
select d.id, d.study, d.reason, d.code, d.first_at, d.last_at, d.times, d.replayed_at, d.event, s.image, s.outcome
from dead_letters d left join studies s using (study)
where (s.outcome is null or s.outcome = 'failed') and (%(replayed)s or coalesce(d.replayed_at < d.last_at, true))
order by d.last_at
"""


@dataclass(frozen=True)
class Letter:
    """One study of a dead letter, or an event that names none: `failed` if no retry will ever help."""

    id: str
    study: Study | None
    reason: str
    code: int | None
    event: dict[str, Any]

    @property
    def failed(self) -> bool:
        return self.code is not None and 400 <= self.code < 500 and self.code not in WORTH_A_RETRY


def is_letter(headers: Mapping[str, str]) -> bool:
    return "ce-knativeerrordest" in headers or "ce-knativeerrorcode" in headers


def read_letters(headers: Mapping[str, str], body: bytes) -> list[Letter]:
    """A letter for each study that was given up; one without a study where the event cannot be read."""
    code, answer = error_code(headers), error_answer(headers)
    event = {"headers": cloud_event_headers(headers)} | kept(body)
    try:
        records = read_records(read_event(headers, body))
        studies = [read_study(record) for record in records]
    except Refused:
        name = f"{headers.get('ce-source', '')} {headers.get('ce-id', '')}"
        return [Letter(name, None, reason_of(answer, 0, 1) or SILENT, code, event)]
    found = []
    for number, study in enumerate(studies):
        reason = reason_of(answer, number, len(studies))
        if study and reason is not None:
            found.append(Letter(study.name, study, reason or SILENT, code, event))
    return found


def error_code(headers: Mapping[str, str]) -> int | None:
    text = headers.get("ce-knativeerrorcode", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else None


def error_answer(headers: Mapping[str, str]) -> str:
    text = headers.get("ce-knativeerrordata", "")
    try:
        return base64.b64decode(text, validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return text


def reason_of(answer: str, number: int, total: int) -> str | None:
    """Why record `number` of `total` failed; None where the answer says that it did not. "" for an empty answer."""
    try:
        parsed = json.loads(answer)
    except ValueError:
        cut = FIRST_ERROR.search(answer)
        return str(json.loads(cut[1])) if cut else answer.strip().replace("\0", "")
    records = parsed.get("records") if isinstance(parsed, dict) else None
    if isinstance(records, list) and len(records) == total and isinstance(records[number], dict):
        return str(records[number].get("error") or "") or None
    return str(parsed.get("error", "") if isinstance(parsed, dict) else parsed)


def kept(body: bytes) -> dict[str, str]:
    """A body as JSON can hold it, and PostgreSQL's jsonb, which takes no NUL."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = "\0"
    return {"data_base64": base64.b64encode(body).decode()} if "\0" in text else {"data": text}


def body_of(event: Mapping[str, Any]) -> bytes:
    return event["data"].encode() if "data" in event else base64.b64decode(event["data_base64"])


def open_letters(database: Database, replayed: bool = False) -> list[Row]:
    """Letters of studies that have no result, oldest first; with `replayed` also those that were sent again since."""
    from psycopg.rows import dict_row

    return database.run(
        "list the dead letters",
        lambda connection: connection.cursor(row_factory=dict_row).execute(OPEN, {"replayed": replayed}).fetchall(),
    )


def replay(database: Database, sink: str, letters: list[Row]) -> None:
    """Each event goes to the topic once more, once for all of its studies. Raises TryLater."""
    by_event: dict[str, list[Row]] = {}
    for letter in letters:
        by_event.setdefault(json.dumps(letter["event"], sort_keys=True), []).append(letter)
    for same in by_event.values():
        event = same[0]["event"]
        announce(sink, body_of(event), "replay", event["headers"].get("content-type") or "application/json")
        ids = [letter["id"] for letter in same]
        database.run(
            "note what was sent again",
            lambda connection, ids=ids: connection.execute(
                "update dead_letters set replayed_at = now() where id = any(%s)", [ids]
            ),
        )
