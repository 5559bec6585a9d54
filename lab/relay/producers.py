# SPDX-License-Identifier: GPL-3.0-or-later
"""Kafka producers by login: made when first needed, closed when idle. Knows nothing of HTTP."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from .request import Login

log = logging.getLogger(__name__)
IDLE_SECONDS, MOST = 600.0, 16


class NotDelivered(Exception):
    """The broker did not acknowledge in time; the message says why, as far as is known."""


class Connection:
    """One producer and the thread that serves its callbacks."""

    def __init__(self, login: Login, ca_file: Path, seconds: float) -> None:
        self.used, self.trouble = time.monotonic(), ""
        self._patience = seconds + 2  # the client looks for what ran out of time once a second
        self._producer = Producer(
            {
                "bootstrap.servers": login.bootstrap,
                "security.protocol": "SASL_SSL",
                "sasl.mechanism": "SCRAM-SHA-512",
                "sasl.username": login.user,
                "sasl.password": login.password,
                "ssl.ca.location": str(ca_file),
                "client.id": "xraylab-relay",
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 1,
                "message.timeout.ms": int(seconds * 1000),
                "socket.connection.setup.timeout.ms": 3000,
                "reconnect.backoff.max.ms": 1000,
                "allow.auto.create.topics": False,
                "log_level": 2,
                "error_cb": self._failed,
            }
        )
        self._stop = threading.Event()
        threading.Thread(target=self._serve, name=f"producer-{login.user}", daemon=True).start()

    def _failed(self, error: KafkaError) -> None:
        self.trouble = error.str()

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(1.0)
        self._producer.flush(self._patience)  # others' records may be on their way: each must hear how it ended

    def close(self) -> None:
        self._stop.set()

    async def send(self, topic: str, key: str, value: bytes) -> None:
        """Returns when every in-sync replica has the record. RGW would wait for ever, and its queue with it."""
        loop = asyncio.get_running_loop()
        acked: asyncio.Future[None] = loop.create_future()

        def resolve(error: KafkaError | None) -> None:
            if not acked.done():
                acked.set_exception(NotDelivered(self._words(error))) if error else acked.set_result(None)

        def delivered(error: KafkaError | None, _message: Any) -> None:
            loop.call_soon_threadsafe(resolve, error)

        self.used = time.monotonic()
        try:
            self._producer.produce(topic, value=value, key=key.encode(), on_delivery=delivered)
        except (BufferError, KafkaException) as error:
            raise NotDelivered(str(error)) from error
        try:
            async with asyncio.timeout(self._patience):
                await acked
        except TimeoutError as error:
            raise NotDelivered(f"Kafka told nothing of the record within {self._patience:g} s") from error

    def _words(self, error: KafkaError) -> str:
        return error.str() + (f" ({self.trouble})" if self.trouble else "")


class Producers:
    """The connections in use. A changed CA file makes new ones: the cluster was made anew."""

    def __init__(self, ca_file: Path, seconds: float) -> None:
        self._ca_file, self._seconds = ca_file, seconds
        self._open: dict[tuple[Login, tuple[int, int]], Connection] = {}

    def __len__(self) -> int:
        return len(self._open)

    def get(self, login: Login) -> Connection:
        """The connection of a login; raises NotDelivered while the CA file is missing or unusable."""
        try:
            stat = self._ca_file.stat()
        except OSError as error:
            raise NotDelivered(
                f"cannot read {self._ca_file} ({error.strerror}): the role image_events writes the cluster's CA there "
                "(image_events_ca_location)"
            ) from error
        key = (login, (stat.st_mtime_ns, stat.st_size))
        if key not in self._open:
            self._drop(lambda k, c: k[0] == login or time.monotonic() - c.used > IDLE_SECONDS)
            if len(self._open) >= MOST:
                oldest = min(self._open, key=lambda k: self._open[k].used)
                self._drop(lambda key, _: key == oldest)
            try:
                self._open[key] = Connection(login, self._ca_file, self._seconds)
            except KafkaException as error:
                raise NotDelivered(f"no producer for {login}: {error.args[0].str()}") from error
            log.warning("new producer for %r", login)
        return self._open[key]

    def discard(self, login: Login) -> None:
        """Closes a login's connection: one with a wrong password would go on trying for ever."""
        self._drop(lambda key, _: key[0] == login)

    def close(self) -> None:
        self._drop(lambda *_: True)

    def _drop(self, which: Any) -> None:
        for key, connection in list(self._open.items()):
            if which(key, connection):
                connection.close()
                del self._open[key]
