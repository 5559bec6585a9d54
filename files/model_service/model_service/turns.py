# SPDX-License-Identifier: GPL-3.0-or-later
"""The same study at once, within this process: one works, the others wait for what it leaves."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from anyio import Lock


class Turns:
    """A lock for each key that someone holds or waits for. For one event loop."""

    def __init__(self) -> None:
        self.locks: dict[Hashable, Lock] = {}

    @asynccontextmanager
    async def turn(self, key: Hashable) -> AsyncIterator[None]:
        lock = self.locks.setdefault(key, Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.statistics().tasks_waiting and not lock.locked():
                self.locks.pop(key, None)
