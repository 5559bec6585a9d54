# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts on arrival: every event of the topic, and every dead letter, becomes rows, whatever the function does.

One writer takes all that came while it wrote the last batch. An event is answered 204 when its rows are committed,
else 503, and Knative delivers it again; rows are the same however often it does.
"""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from anyio.to_thread import run_sync
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from .database import Database, Row
from .errors import Refused, TryLater
from .events import Study, read_event, read_records, read_study
from .letters import Letter, is_letter, read_letters
from .pseudonyms import Pseudonyms
from .recorded import Recorded

if TYPE_CHECKING:
    from psycopg import Connection

MOST_AT_ONCE = 500
LOOK_EVERY_SECONDS = 5
LOOK_WAIT_SECONDS = 2  # less than a scrape may take, or a database that is away looks like a pod that is gone
log = logging.getLogger("risk_assessment")

RECEIVED = """
insert into studies (study, image, bucket, key, etag, version_id, announced_at, received_at, bytes)
values (%(study)s, %(image)s, %(bucket)s, %(key)s, %(etag)s, %(version_id)s, %(announced_at)s, %(received_at)s,
%(bytes)s)
on conflict (study) do update set announced_at = least(studies.announced_at, excluded.announced_at),
received_at = least(studies.received_at, excluded.received_at), bytes = excluded.bytes, version_id = excluded.version_id
where studies.bytes is null or studies.announced_at is null or studies.received_at > excluded.received_at
"""
LETTER = """
insert into dead_letters (id, study, reason, code, first_at, last_at, event)
values (%(id)s, %(study)s, %(reason)s, %(code)s, %(at)s, %(at)s, %(event)s)
on conflict (id) do update set reason = excluded.reason, code = excluded.code, last_at = excluded.last_at,
event = excluded.event, times = dead_letters.times + 1
where dead_letters.event -> 'headers' is distinct from excluded.event -> 'headers'
"""
# What is assessed stays so; what may still be told stays unfinished, for the reconciler, and says why.
GIVEN_UP = """
update studies set reasons = array[%(reason)s], outcome = case when %(failed)s then 'failed' end,
recorded_at = case when %(failed)s then coalesce(recorded_at, %(at)s) end
where study = %(study)s and (outcome is null or outcome = 'failed' and %(failed)s)
"""
COUNTS = "select coalesce(outcome, 'received'), count(*) from studies group by 1"
OPEN_LETTERS = """
select count(*) filter (where coalesce(d.replayed_at < d.last_at, true)),
count(*) filter (where d.replayed_at >= d.last_at)
from dead_letters d left join studies s using (study) where s.outcome is null or s.outcome = 'failed'
"""
OLDEST = "select coalesce(extract(epoch from now() - min(received_at)), 0) from studies where outcome is null"
LAST_RECONCILIATION = (
    "select missing, reannounced, extract(epoch from at) from reconciliations order by at desc limit 1"
)


@dataclass
class Arrival:
    """What one event brought, and where its sender waits for the word that it is kept."""

    received: list[Row] = field(default_factory=list)
    letters: list[Row] = field(default_factory=list)
    kept: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class ArrivalMetrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        own: dict[str, Any] = {"registry": self.registry}
        self.recorded = Recorded(self.registry)
        self.events = Counter("arrivals_events", "Events by HTTP answer.", ["answer"], **own)
        self.studies = Counter("arrivals_studies", "Announcements and dead letters of studies.", ["kind"], **own)
        for kind in ("received", "dead_letter"):  # a counter that begins at one has no first increase
            self.studies.labels(kind)
        self.write = Histogram("arrivals_write_seconds", "Seconds by batch of rows.", **own)
        self.up = Gauge("results_database_up", "Whether the database answers.", **own)
        self.rows = Gauge("results_studies", "Studies in the database by outcome.", ["outcome"], **own)
        self.oldest = Gauge("results_oldest_waiting_seconds", "Age of the oldest study without an outcome.", **own)
        self.letters = Gauge("results_dead_letters", "Dead letters without a result since.", ["state"], **own)
        self.missing = Gauge("results_missing", "Objects without a result at the last reconciliation.", **own)
        self.reannounced = Gauge("results_reannounced", "Objects announced again by the last reconciliation.", **own)
        self.reconciled = Gauge("results_reconciled_timestamp_seconds", "When the last reconciliation was.", **own)
        self.reconciled.set_to_current_time()  # before the first one: since when it is waited for
        self.looked = -math.inf

    def look(self, database: Database) -> None:
        """Reads the gauges from the database, at most every few seconds. What cannot be read keeps its last value."""
        if time.monotonic() < self.looked + LOOK_EVERY_SECONDS:
            return
        self.looked = time.monotonic()
        try:
            rows, letters, oldest, last = database.run("count the studies", counts, LOOK_WAIT_SECONDS)
            self.recorded.count(database.run("read what was recorded", self.recorded.rows, LOOK_WAIT_SECONDS))
        except TryLater as error:
            self.up.set(0)
            log.warning("not counted", extra={"fields": {"error": str(error)}})
            return
        self.up.set(1)
        for outcome in ("received", "assessed", "rejected", "failed"):
            self.rows.labels(outcome).set(rows.get(outcome, 0))
        self.oldest.set(float(oldest))
        for state, number in zip(("open", "replayed"), letters, strict=True):
            self.letters.labels(state).set(number)
        for gauge, number in zip((self.missing, self.reannounced, self.reconciled), last or (), strict=False):
            gauge.set(float(number))

    def text(self) -> bytes:
        return generate_latest(self.registry)


def counts(connection: "Connection[Any]") -> tuple[dict[str, int], Any, Any, Any]:
    return (
        dict(connection.execute(COUNTS).fetchall()),
        connection.execute(OPEN_LETTERS).fetchone(),
        (connection.execute(OLDEST).fetchone() or (0,))[0],
        connection.execute(LAST_RECONCILIATION).fetchone(),
    )


class Arrivals:
    """`own_suffixes` end the names of buckets that the function itself fills: what is announced of them is no X-ray."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms, own_suffixes: tuple[str, ...]) -> None:
        self.database, self.pseudonyms, self.own_suffixes = database, pseudonyms, own_suffixes
        self.metrics = ArrivalMetrics()
        self.inbox: asyncio.Queue[Arrival] = asyncio.Queue()

    def read(self, headers: Any, body: bytes) -> Arrival:
        """Raises TryLater where there is no key for pseudonyms."""
        arrival = Arrival()
        at = datetime.now(UTC)
        if is_letter(headers):
            for letter in read_letters(headers, body):
                arrival.letters.append(letter_row(letter, at))
                if letter.study:
                    arrival.received += self.rows([(letter.study, {})], at)
            return arrival
        try:
            records = read_records(read_event(headers, body))
        except Refused:  # the function refuses it, too: it comes back as a dead letter
            return arrival
        arrival.received = self.rows([(study_of(record), record) for record in records], at)
        return arrival

    def rows(self, announced: list[tuple[Study | None, Any]], at: datetime) -> list[Row]:
        """A row for each study that can be told from others, which takes its version or its eTag."""
        return [
            received_row(study, record, self.pseudonyms.name("image", study.bucket, study.key), at)
            for study, record in announced
            if study
            and (study.etag or study.version_id)
            and "\0" not in study.name
            and not study.bucket.endswith(self.own_suffixes)
        ]

    async def write_forever(self) -> None:
        while True:
            batch = [await self.inbox.get()]
            while not self.inbox.empty() and len(batch) < MOST_AT_ONCE:
                batch.append(self.inbox.get_nowait())
            await self.write(batch)

    async def write(self, batch: list[Arrival]) -> None:
        received = [row for arrival in batch for row in arrival.received]
        letters = [row for arrival in batch for row in arrival.letters]
        try:
            with self.metrics.write.time():
                await run_sync(
                    self.database.run, "count arrivals", lambda connection: insert(connection, received, letters)
                )
        except Exception as error:
            if not isinstance(error, TryLater):  # the writer must outlive a fault of ours
                log.exception("unexpected error")
            for arrival in batch:
                if not arrival.kept.done():
                    arrival.kept.set_exception(TryLater(str(error)))
            return
        self.metrics.studies.labels("received").inc(
            sum(len(arrival.received) for arrival in batch if not arrival.letters)
        )
        self.metrics.studies.labels("dead_letter").inc(len(letters))
        for arrival in batch:
            if not arrival.kept.done():
                arrival.kept.set_result(None)


def insert(connection: "Connection[Any]", received: list[Row], letters: list[Row]) -> None:
    """In one order, whoever writes: two writers of the same studies must not wait for each other."""
    with connection.cursor() as cursor:
        if received:
            cursor.executemany(RECEIVED, sorted(received, key=lambda row: row["study"]))
        if letters:
            letters = sorted(letters, key=lambda row: row["id"])
            cursor.executemany(LETTER, letters)
            cursor.executemany(GIVEN_UP, letters)


def study_of(record: Any) -> Study | None:
    try:
        return read_study(record)
    except Refused:
        return None


def received_row(study: Study, record: Any, image: str, at: datetime) -> Row:
    size = record["s3"]["object"].get("size") if record else None
    return {
        "study": study.name, "image": image, "bucket": study.bucket, "key": study.key, "etag": study.etag,
        "version_id": study.version_id, "announced_at": announced_at(record), "received_at": at,
        "bytes": size if isinstance(size, int) and 0 <= size < 2**63 else None,
    }  # fmt: skip


def announced_at(record: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(record["eventTime"])
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def letter_row(letter: Letter, at: datetime) -> Row:
    from psycopg.types.json import Jsonb

    return {
        "id": letter.id.replace("\0", ""), "study": letter.study.name.replace("\0", "") if letter.study else None,
        "reason": letter.reason, "code": letter.code, "at": at, "event": Jsonb(letter.event), "failed": letter.failed,
    }  # fmt: skip


def create_arrivals(arrivals: Arrivals) -> Starlette:
    metrics = arrivals.metrics

    async def receive(request: Request) -> Response:
        try:
            arrival = arrivals.read(request.headers, await request.body())
            if arrival.received or arrival.letters:
                arrivals.inbox.put_nowait(arrival)
                await arrival.kept
            response: Response = Response(status_code=204)
        except TryLater as error:
            response = JSONResponse({"error": str(error)}, 503)
        metrics.events.labels(str(response.status_code)).inc()
        return response

    def healthy(request: Request) -> Response:
        return PlainTextResponse("ok\n")

    def show_metrics(request: Request) -> Response:
        metrics.look(arrivals.database)
        return Response(metrics.text(), media_type="text/plain; version=0.0.4")

    @asynccontextmanager
    async def writer(app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(arrivals.write_forever())
        yield
        task.cancel()
        await run_sync(arrivals.database.close)

    routes = [
        Route("/", receive, methods=["POST"]),
        Route("/healthz", healthy),
        Route("/metrics", show_metrics),
    ]
    return Starlette(routes=routes, lifespan=writer)
