# SPDX-License-Identifier: GPL-3.0-or-later
"""A Kafka producer that can be awaited, and the thread that serves its callbacks."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from .connection import Auth

DELIVERY_SECONDS = 10.0


class NotDelivered(Exception):
    """No acknowledgement in time; the message says why, as far as is known."""


class SinkProducer:
    """Sends to one cluster as one user."""

    def __init__(self, bootstrap: str, auth: Auth) -> None:
        self.trouble = ""
        self._stop = threading.Event()
        self._producer = Producer(
            {
                **auth.options(),
                "bootstrap.servers": bootstrap,
                "client.id": "kafka-sink-ingress",
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "message.timeout.ms": int(DELIVERY_SECONDS * 1000),
                "reconnect.backoff.max.ms": 1000,
                "allow.auto.create.topics": False,
                "log_level": 2,
                "error_cb": self._failed,
            }
        )
        threading.Thread(target=self._serve, daemon=True).start()

    def _failed(self, error: KafkaError) -> None:
        self.trouble = error.str()

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(1.0)
        self._producer.flush(1.0)

    def close(self) -> None:
        self._stop.set()

    async def send(self, topic: str, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]) -> None:
        """Returns when every in-sync replica has the record."""
        loop = asyncio.get_running_loop()
        acked: asyncio.Future[None] = loop.create_future()

        def resolve(error: KafkaError | None) -> None:
            if not acked.done():
                words = f"{error} {self.trouble}".strip()
                acked.set_exception(NotDelivered(words)) if error else acked.set_result(None)

        def delivered(error: KafkaError | None, _message: Any) -> None:
            loop.call_soon_threadsafe(resolve, error)

        try:
            self._producer.produce(topic, value=value, key=key, headers=headers, on_delivery=delivered)
        except (BufferError, KafkaException) as error:
            raise NotDelivered(str(error)) from error
        await acked
