# SPDX-License-Identifier: GPL-3.0-or-later
"""Which offsets may be committed while records of a partition are in flight in any order. Pure."""

from __future__ import annotations


class Progress:
    """One partition: everything before `committable` is handled, whatever finished out of order behind it."""

    def __init__(self) -> None:
        self._in_flight: set[int] = set()
        self._next: int | None = None
        self._committed: int | None = None

    def received(self, offset: int) -> None:
        """A record was handed out. Offsets come in order, but not without gaps (compaction, transactions)."""
        self._in_flight.add(offset)
        self._next = offset + 1

    def done(self, offset: int) -> None:
        """A record needs no further try."""
        self._in_flight.discard(offset)

    @property
    def pending(self) -> int:
        return len(self._in_flight)

    @property
    def position(self) -> int | None:
        """The offset to go on from after a crash: the first that is not done."""
        return min(self._in_flight, default=self._next)

    def committable(self) -> int | None:
        """The position, when it moved since the last `committed`; else None."""
        position = self.position
        return None if position == self._committed else position

    def committed(self, offset: int) -> None:
        self._committed = offset
