# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens, to everyone who watches: the database's notifications in, server-sent events out."""

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from . import studies
from .figures import Figures

CHANNEL = "studies"
GATHER_SECONDS = 0.1
AT_ONCE = 100  # studies told in one go; of more, only the latest: no eye follows them
QUIET_SECONDS = 15.0
ASK_SECONDS = 15.0  # a server that vanished without a word is noticed within this time
KEPT, WAITING = 400, 64
log = logging.getLogger("gallery")


class Feed:
    """`connect` gives a database connection of its own. Events are numbered within this process's life."""

    def __init__(self, connect: Callable[[], Any], database: Any, figures: Figures) -> None:
        self.connect, self.database, self.figures = connect, database, figures
        self.boot = secrets.token_hex(4)
        self.number = 0
        self.connected = False
        self.told: dict[str, Any] = {}
        self.pending: dict[str, None] = {}
        self.woken = asyncio.Event()
        self.latest: deque[tuple[int, bytes]] = deque(maxlen=KEPT)
        self.watchers: set[asyncio.Queue[bytes]] = set()

    @property
    def place(self) -> str:
        """Where a page that is made now takes up the events."""
        return f"{self.boot}-{self.number}"

    async def run(self) -> None:
        await asyncio.gather(self.listen(), self.tell(), self.count())

    async def listen(self) -> None:
        """Listens for ever; after a broken connection again, and lets the pages fetch what they missed."""
        pause = 0.5
        while True:
            try:
                connection = await self.connect()
                try:
                    lost = asyncio.Event()
                    connection.add_termination_listener(lambda _, lost=lost: lost.set())
                    await connection.add_listener(CHANNEL, self.note)
                    self.set_connected(True)
                    pause = 0.5
                    while not lost.is_set():
                        with suppress(TimeoutError):
                            await asyncio.wait_for(lost.wait(), ASK_SECONDS)
                        await connection.execute("select 1", timeout=10)
                finally:
                    await connection.close(timeout=2)
            except Exception as error:  # whatever it was, the page lives on and tries again
                log.warning("no notifications", extra={"fields": {"error": type(error).__name__}})
            self.set_connected(False)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5)

    def set_connected(self, connected: bool) -> None:
        if connected != self.connected:
            self.connected = connected
            self.send("reload" if connected else "lost", {}, keep=False)

    def note(self, connection: Any, pid: int, channel: str, image: str) -> None:
        self.pending.pop(image, None)
        self.pending[image] = None
        self.woken.set()

    async def tell(self) -> None:
        """Reads the studies that changed, many in one query, and sends them."""
        while True:
            await self.woken.wait()
            await asyncio.sleep(GATHER_SECONDS)
            self.woken.clear()
            images, self.pending = list(self.pending)[-AT_ONCE:], {}
            if not images:
                continue
            try:
                rows = await studies.changed(self.database, images)
            except Exception as error:
                log.warning("studies not read", extra={"fields": {"error": type(error).__name__}})
                self.pending = dict.fromkeys(images) | self.pending
                self.woken.set()
                await asyncio.sleep(1)
                continue
            found = {row["image"]: studies.public(row) for row in rows}
            self.send("studies", [found[image] for image in images if image in found])

    async def count(self) -> None:
        """Sends the flow's figures when they change, while somebody watches."""
        while True:
            await asyncio.sleep(1)
            if not self.watchers:
                continue
            try:
                figures = await self.figures.hops()
            except Exception as error:
                log.warning("figures not read", extra={"fields": {"error": type(error).__name__}})
                continue
            if figures != self.told:
                self.told = figures
                self.send("figures", figures, keep=False)

    def send(self, kind: str, content: Any, keep: bool = True) -> None:
        """A watcher that does not keep up is told to start anew instead."""
        if keep:
            self.number += 1
        text = event(kind, content, self.place)
        if keep:
            self.latest.append((self.number, text))
        for queue in self.watchers:
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                while not queue.empty():
                    queue.get_nowait()
                queue.put_nowait(event("reload", {}, self.place))

    @contextmanager
    def watching(self) -> Iterator[asyncio.Queue[bytes]]:
        queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self.watchers.add(queue)
        self.figures.watching = len(self.watchers)
        try:
            yield queue
        finally:
            self.watchers.discard(queue)
            self.figures.watching = len(self.watchers)

    async def watch(self, place: str) -> AsyncIterator[bytes]:
        with self.watching() as queue:
            yield b"retry: 1500\n\n"
            for text in self.missed(place):
                yield text
            if self.told:
                yield event("figures", self.told, self.place)
            if not self.connected:
                yield event("lost", {}, self.place)
            while True:
                try:
                    yield await asyncio.wait_for(queue.get(), QUIET_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"

    def missed(self, place: str) -> list[bytes]:
        """The events after a place; where they are not known any more, the advice to start anew."""
        boot, _, number = place.partition("-")
        if boot == self.boot and number.isdigit():
            if int(number) == self.number:
                return []
            if self.latest and self.latest[0][0] <= int(number) + 1:
                return [text for at, text in self.latest if at > int(number)]
        return [event("reload", {}, self.place)]


def event(kind: str, content: Any, place: str) -> bytes:
    return f"id: {place}\nevent: {kind}\ndata: {json.dumps(content, separators=(',', ':'))}\n\n".encode()
