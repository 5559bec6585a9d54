# SPDX-License-Identifier: GPL-3.0-or-later
"""One consumer of a KafkaSource: records out of Kafka, offsets back in once nothing more has to be done for them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from strimzi.metrics import Metrics

from .cloudevents import Record, from_record
from .connection import Auth
from .offsets import Progress
from .sender import DROPPED, Sender
from .settings import Settings

log = logging.getLogger(__name__)
Place = tuple[str, int]
IN_FLIGHT = 50  # max.poll.records of Knative's data plane
BACKLOG, BATCH = 100, 64
REVOKE_SECONDS, LAG_SECONDS = 1.0, 10.0


def consumer_options(settings: Settings, auth: Auth) -> dict[str, Any]:
    """librdkafka's options for a consumer of the source."""
    return {
        **auth.options(),
        "bootstrap.servers": settings.bootstrap,
        "group.id": settings.group,
        "client.id": f"kafkasource-{settings.namespace}-{settings.name}",
        "auto.offset.reset": settings.initial_offset,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": 10000,
        "heartbeat.interval.ms": 3000,
        "max.poll.interval.ms": 300000,
        "queued.max.messages.kbytes": 4096,
        "topic.metadata.refresh.interval.ms": 60000,
        "reconnect.backoff.max.ms": 2000,
        "log_level": 2,
    }


def to_record(message: Message) -> Record:
    headers = tuple(
        (n, v if v is None or isinstance(v, bytes) else str(v).encode()) for n, v in message.headers() or ()
    )
    return Record(
        message.topic(),
        message.partition(),
        message.offset(),
        message.timestamp()[1],
        message.key(),
        message.value(),
        headers,
    )


class Partition:
    """A partition's records in flight; ordered ones wait for each other."""

    def __init__(self) -> None:
        self.progress, self.paused = Progress(), False
        self.tasks: set[asyncio.Task[None]] = set()
        self.turn = asyncio.Lock()  # fair: records take it in the order they came


class SourceConsumer:
    """Runs until stopped. Every call of the Kafka client is made in one thread of its own."""

    def __init__(self, settings: Settings, auth: Auth, sender: Sender, metrics: Metrics) -> None:
        self._settings, self._auth, self._sender, self._metrics = settings, auth, sender, metrics
        self._partitions: dict[Place, Partition] = {}
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._thread = ThreadPoolExecutor(1, "kafka")
        self._loop = asyncio.get_running_loop()
        self._lag_at, self._stopping = 0.0, False
        self.joined, self.trouble = False, ""
        self._fatal: KafkaError | None = None
        self._batch: list[Message] = []
        self._consumer: Consumer

    async def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await self._loop.run_in_executor(self._thread, function, *arguments)

    def stop(self) -> None:
        """Asks `run` to finish what is in flight and return."""
        self._stopping = True

    async def run(self, grace: float = 20.0) -> None:
        """Fetch, hand out, commit; after `stop`, up to `grace` seconds for what is in flight."""
        await self._call(self._open)
        while not self._stopping:
            for message in await self._call(self._fetch, 0.2 if self._busy() else 1.0):
                self._accept(message)
            await self._call(self._steer)
            await self._call(self._commit)
        tasks = [t for p in self._partitions.values() for t in p.tasks]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        await self._call(self._commit)
        for task in tasks:
            task.cancel()
        await self._call(self._consumer.close)
        self._thread.shutdown()

    def _busy(self) -> bool:
        return any(p.tasks or p.progress.committable() is not None for p in self._partitions.values())

    def _accept(self, message: Message) -> None:
        place = (message.topic(), message.partition())
        partition = self._partitions.setdefault(place, Partition())
        partition.progress.received(message.offset())
        task = asyncio.create_task(self._handle(partition, to_record(message)))
        partition.tasks.add(task)
        task.add_done_callback(partition.tasks.discard)

    async def _handle(self, partition: Partition, record: Record) -> None:
        """One record to its end; only then is its offset done. A cancelled one is done by nobody."""
        started = time.monotonic()
        async with partition.turn if self._settings.ordered else self._slots:
            try:
                event = from_record(record, self._settings.namespace, self._settings.name, self._settings.key_type)
                result = await self._sender.deliver(event.extended(self._settings.extensions))
            except Exception:  # a record nobody can make an event of must not stop its partition
                log.exception("discarded %s/%d offset %d", record.topic, record.partition, record.offset)
                result = DROPPED
        self._metrics.add("events_total", result=result)
        self._metrics.add("delivery_seconds_total", time.monotonic() - started)
        partition.progress.done(record.offset)

    # --- in the Kafka thread from here on -----------------------------------------------------------------------------

    def _open(self) -> None:
        options = consumer_options(self._settings, self._auth) | {"error_cb": self._on_error}
        self._consumer = Consumer(options)
        self._consumer.subscribe(
            self._settings.topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
        )

    def _fetch(self, timeout: float) -> list[Message]:
        """Up to 64 records; waits only for the first. A rebalance meanwhile takes its partitions' records out again."""
        if self._fatal:
            raise KafkaException(self._fatal)
        self._batch = []
        while len(self._batch) < BATCH:
            message = self._consumer.poll(0 if self._batch else timeout)
            if message is None:
                break
            error = message.error()
            if error is None:
                self._batch.append(message)
            else:
                self._on_error(error)
        return self._batch

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fatal = error
        if error.code() in (KafkaError._ALL_BROKERS_DOWN, KafkaError._PARTITION_EOF):
            return
        kind = f"{error.name()} {error.str().split('(after')[0]}"
        if kind != self.trouble:  # a broker that is down fails ten times a second in the same words
            log.error("consumer of %s: %s", self._settings.group, error.str())
        self.trouble = kind

    def _on_assign(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        self.joined, self.trouble = True, ""
        log.warning("assigned %s", [f"{p.topic}/{p.partition}" for p in places])

    def _on_revoke(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        """Gives what is in flight a second to end, commits, forgets. The next owner starts at the first unfinished."""
        log.warning("revoked %s", [f"{p.topic}/{p.partition}" for p in places])
        gone = asyncio.run_coroutine_threadsafe(self._release(places, REVOKE_SECONDS), self._loop).result()
        self._commit_offsets(gone)

    def _on_lost(self, _consumer: Consumer, places: list[TopicPartition]) -> None:
        log.error("lost %s", [f"{p.topic}/{p.partition}" for p in places])
        asyncio.run_coroutine_threadsafe(self._release(places, 0), self._loop).result()

    async def _release(self, places: list[TopicPartition], patience: float) -> dict[Place, Partition]:
        """Takes partitions out of our hands. Their records must not come later: a commit for them would skip others."""
        keys = [(p.topic, p.partition) for p in places]
        self._batch = [m for m in self._batch if (m.topic(), m.partition()) not in keys]
        gone = {key: self._partitions.pop(key) for key in keys if key in self._partitions}
        tasks = [t for p in gone.values() for t in p.tasks]
        if tasks and patience:
            await asyncio.wait(tasks, timeout=patience)
        for task in tasks:
            task.cancel()
        for topic, partition in gone:
            self._metrics.drop("lag", topic=topic, partition=str(partition))
        return gone

    def _commit(self) -> None:
        self._commit_offsets(dict(self._partitions))
        if time.monotonic() - self._lag_at > LAG_SECONDS:
            self._lag_at = time.monotonic()
            self._measure_lag()

    def _commit_offsets(self, partitions: dict[Place, Partition]) -> None:
        moved = {k: o for k, p in partitions.items() if (o := p.progress.committable()) is not None}
        if not moved:
            return
        try:
            self._consumer.commit(offsets=[TopicPartition(t, n, o) for (t, n), o in moved.items()], asynchronous=False)
        except KafkaException as error:
            log.error("commit of %s failed, again at the next: %s", moved, error)
            return
        for key, offset in moved.items():
            partitions[key].progress.committed(offset)

    def _steer(self) -> None:
        """Stops fetching from partitions with a full backlog, and goes on with those that have room again."""
        for (topic, number), partition in list(self._partitions.items()):
            place, pending = TopicPartition(topic, number), partition.progress.pending
            if not partition.paused and pending >= BACKLOG:
                self._consumer.pause([place])
                partition.paused = True
            elif partition.paused and pending <= BACKLOG // 2:
                self._consumer.resume([place])
                partition.paused = False

    def _measure_lag(self) -> None:
        for place in self._consumer.assignment():
            _low, high = self._consumer.get_watermark_offsets(place, cached=True)
            known = self._partitions.get((place.topic, place.partition))
            position = known.progress.position if known else None
            if high >= 0 and position is not None:
                lag = max(0, high - position)
                self._metrics.set("lag", lag, topic=place.topic, partition=str(place.partition))
