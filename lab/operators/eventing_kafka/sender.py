# SPDX-License-Identifier: GPL-3.0-or-later
"""Delivers one event: to the sink with retries, else to the dead-letter sink. Knows nothing of Kafka."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import aiohttp
from strimzi.metrics import Metrics

from . import delivery
from .cloudevents import Event, error_extensions, http_headers
from .delivery import Policy

log = logging.getLogger(__name__)
DELIVERED, DEAD_LETTERED, DROPPED = "delivered", "dead_lettered", "dropped"
DEAD_LETTER_PAUSE = 60.0


@dataclass(frozen=True)
class Answer:
    """A sink's answer; code None when there was none, `text` then says why."""

    code: int | None
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    text: str = ""

    def __str__(self) -> str:
        return self.text if self.code is None else f"{self.code} {self.body[:200].decode('utf-8', 'replace')}".strip()


class Sender:
    """Sends to one sink and one dead-letter sink ("" for none)."""

    def __init__(
        self, sink: str, dead_letter_sink: str, policy: Policy, metrics: Metrics, connections: int = 100
    ) -> None:
        self._sink, self._dead_letter_sink, self._policy, self._metrics = sink, dead_letter_sink, policy, metrics
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections),
            timeout=aiohttp.ClientTimeout(total=policy.timeout, sock_connect=30),
            skip_auto_headers=("Content-Type", "User-Agent"),
        )

    async def close(self) -> None:
        await self._session.close()

    async def deliver(self, event: Event) -> str:
        """Returns when the event needs no further care; answers delivered, dead_lettered or dropped."""
        answer = await self._try(self._sink, event, "sink")
        if answer.code is not None and delivery.delivered(answer.code):
            return DELIVERED
        where = f"{event.attributes['source']} {event.attributes['id']}"
        if not self._dead_letter_sink:
            log.error("dropped %s: %s answered %s and there is no deadLetterSink", where, self._sink, answer)
            return DROPPED
        extensions = error_extensions(self._sink, answer.code, answer.body, answer.headers)
        await self._bury(event.extended(extensions), where)
        log.warning("dead letter %s: %s answered %s", where, self._sink, answer)
        return DEAD_LETTERED

    async def _bury(self, event: Event, where: str) -> None:
        """Keeps on until the dead-letter sink has it. (Knative gives up after its retries, and the event is lost.)"""
        while True:
            answer = await self._try(self._dead_letter_sink, event, "dead_letter_sink")
            if answer.code is not None and delivery.delivered(answer.code):
                return
            log.error("cannot bury %s: %s answered %s", where, self._dead_letter_sink, answer)
            await asyncio.sleep(DEAD_LETTER_PAUSE)

    async def _try(self, url: str, event: Event, name: str) -> Answer:
        """One try and the policy's retries; the last answer."""
        for retries in range(self._policy.retry + 1):
            if retries:
                await asyncio.sleep(self._policy.pause(retries))
            answer = await self._post(url, event)
            self._metrics.add("attempts_total", to=name, code=str(answer.code or "none"))
            if not delivery.retriable(answer.code):
                break
        return answer

    async def _post(self, url: str, event: Event) -> Answer:
        headers = {"Prefer": "reply", **http_headers(event)}
        try:
            async with self._session.post(url, data=event.data, headers=headers, allow_redirects=False) as answer:
                return Answer(answer.status, await answer.read(), tuple(answer.headers.items()))
        except TimeoutError:
            return Answer(None, text=f"nothing within {self._policy.timeout:g} s")
        except (aiohttp.ClientError, OSError) as error:
            return Answer(None, text=f"{type(error).__name__}: {error}")
