# SPDX-License-Identifier: GPL-3.0-or-later
"""A work queue: a key is worked on once at a time, failures come back later and later. Knows nothing of its keys."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
log = logging.getLogger(__name__)


class Failure(Exception):
    """Something to be told in a status: `reason` is a word, the message a sentence."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def retry_delay(failures: int) -> float:
    """Seconds until the next try after so many failures in a row: 1, 2, 4 ... 60."""
    return float(min(60, 2 ** min(failures - 1, 6)))


class WorkQueue(Generic[Key]):
    """Calls `reconcile(key)` for every added key; it may answer seconds after which it wants to be called again."""

    def __init__(self, reconcile: Callable[[Key], Awaitable[float | None]], workers: int = 2) -> None:
        self._reconcile, self._workers = reconcile, workers
        self._ready: asyncio.Queue[Key] = asyncio.Queue()
        self._waiting: set[Key] = set()
        self._running: set[Key] = set()
        self._again: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}

    def add(self, key: Key, delay: float = 0) -> None:
        """Queues a key, now or after `delay` seconds. A key that waits already is not queued twice."""
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()
        if delay > 0:
            self._timers[key] = asyncio.get_running_loop().call_later(delay, self.add, key)
        elif key in self._running:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.put_nowait(key)

    async def run(self) -> None:
        """Works until cancelled."""
        await asyncio.gather(*(self._work() for _ in range(self._workers)))

    async def _work(self) -> None:
        while True:
            key = await self._ready.get()
            self._waiting.discard(key)
            self._running.add(key)
            delay = await self._call(key)
            self._running.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.add(key)
            elif delay is not None:
                self.add(key, delay)

    async def _call(self, key: Key) -> float | None:
        try:
            delay = await self._reconcile(key)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # whatever fails, the other keys go on
            self._failures[key] = self._failures.get(key, 0) + 1
            delay = retry_delay(self._failures[key])
            log.warning("%s failed, again in %.0f s: %s", key, delay, error, exc_info=log.isEnabledFor(logging.DEBUG))
        else:
            self._failures.pop(key, None)
        return delay
