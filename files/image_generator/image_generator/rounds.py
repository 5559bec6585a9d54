# SPDX-License-Identifier: GPL-3.0-or-later
"""When the next X-ray goes and which sample it is made of. Pure, but for the clock and the store that it is given."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Protocol

from PIL import Image

from .names import name
from .variation import vary

KINDS = ("NORMAL/", "PNEUMONIA/")


class Store(Protocol):
    """Raises OSError."""

    def samples(self, prefix: str) -> list[str]: ...

    def picture(self, key: str) -> Image.Image: ...

    def put(self, key: str, data: bytes) -> None: ...


def moments(begin: float, wait: float, now: Callable[[], float]) -> Iterator[float]:
    """Seconds to sleep before each X-ray, so that the rate is kept however long an upload takes.

    What was missed (the store was slow, say) is left out: a pause must not end in a flood.
    """
    at = begin
    while True:
        yield max(0.0, at - now())
        at = max(at + wait, now())


def choose(samples: dict[str, list[str]], pneumonia_share: float, chance: Random) -> str:
    """The key of a sample; from the other kind where there is none of the one that was drawn."""
    kind = KINDS[chance.random() < pneumonia_share]
    return chance.choice(samples[kind] or samples[KINDS[kind == KINDS[0]]])


class Rounds:
    """Uploads in some threads at once; when all are busy, the next X-ray waits for one of them."""

    def __init__(self, store: Store, wait: float, pneumonia_share: float, at_once: int, chance: Random) -> None:
        self.store, self.wait, self.share, self.chance = store, wait, pneumonia_share, chance
        self.samples = {kind: store.samples(kind) for kind in KINDS}
        self.free = threading.Semaphore(at_once)
        self.pool = ThreadPoolExecutor(at_once)
        self.sent = self.failed = 0

    def run(self, now: Callable[[], float], stop: threading.Event) -> None:
        for pause in moments(now(), self.wait, now):
            if stop.wait(pause):
                break
            self.free.acquire()
            sample, key, seed = choose(self.samples, self.share, self.chance), name(self.chance), self.chance.random()
            self.pool.submit(self.send, sample, key, seed)
        self.pool.shutdown()

    def send(self, sample: str, key: str, seed: float) -> None:
        try:
            # A generator of this X-ray's own: threads must not share one.
            self.store.put(key, vary(self.store.picture(sample), Random(seed)))  # noqa: S311 - no secret
            self.sent += 1
        except OSError:
            self.failed += 1
        finally:
            self.free.release()
