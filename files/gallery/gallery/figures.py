# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts, rates and times of the flow, kept so that the page costs the same with a hundred studies and with millions.

What was settled before a moment is counted once in a while; only what came since is counted each time.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio

BASE_SECONDS = 120
BINS = 60
RANGES = {"15m": (15 * 60, 2.0), "1h": (3600, 4.0), "24h": (86400, 30.0)}  # seconds shown, seconds kept
RISK_STEPS = 20

BASE = """select outcome, label, model_version, count(*) from studies_shown where received_at < $1
  group by outcome, label, model_version"""
SINCE = """select outcome, label, model_version, count(*) from studies_shown where received_at >= $1
  group by outcome, label, model_version"""
# Received before the base's moment, finished after it: the base counted them as waiting.
SETTLED = """select outcome, label, model_version, count(*) from studies_shown
  where recorded_at >= $1 and received_at < $1 group by outcome, label, model_version"""
WAITING = "select count(*), min(received_at) as oldest from studies_shown where outcome is null"
RATES = """select (select count(*) from studies_shown where received_at >= $1) as received,
  (select coalesce(sum(bytes), 0) from studies_shown where received_at >= $1) as bytes,
  (select count(*) from studies_shown where recorded_at >= $1) as recorded"""
TIMES = """with latest as (
    select * from studies_shown where recorded_at is not null order by recorded_at desc limit 200)
  select percentile_cont(0.5) within group (order by extract(epoch from received_at - announced_at)) as announced,
    percentile_cont(0.5) within group (order by seconds) as assessed,
    percentile_cont(array[0.5, 0.95]) within group (order by
      extract(epoch from recorded_at - coalesce(announced_at, received_at))) as recorded
  from latest"""
SERIES = """select floor(extract(epoch from recorded_at) / $2)::bigint as bin, count(*) as recorded,
    count(*) filter (where label = 'Normal') as normal, count(*) filter (where label = 'Unsure') as unsure,
    count(*) filter (where label = 'Pneumonia') as pneumonia, count(*) filter (where label is null) as without,
    percentile_cont(array[0.5, 0.95]) within group (order by
      extract(epoch from recorded_at - coalesce(announced_at, received_at))) as seconds
  from studies_shown where recorded_at >= $1 group by 1"""
RISKS = """select floor(extract(epoch from recorded_at) / $2)::bigint as bin,
    least(floor(risk * 20), 19)::int as step, count(*)
  from studies_shown where recorded_at >= $1 and risk is not null group by 1, 2"""
RECEIVED = """select floor(extract(epoch from received_at) / $2)::bigint as bin, count(*)
  from studies_shown where received_at >= $1 group by 1"""


@dataclass
class Kept:
    """An answer that serves everyone for some seconds; who asks meanwhile waits for the one that is on its way."""

    seconds: float
    made_at: float = float("-inf")
    value: Any = None
    lock: anyio.Lock = field(default_factory=anyio.Lock)

    async def get(self, make: Callable[[], Awaitable[Any]]) -> Any:
        async with self.lock:
            if time.monotonic() - self.made_at > self.seconds:
                self.value = await make()
                self.made_at = time.monotonic()
            return self.value


class Figures:
    """`watching` is set by who counts the visitors; everything else comes from the database."""

    def __init__(self, database: Any) -> None:
        self.database = database
        self.watching = 0
        self.base: Counter[tuple[str | None, str | None, str | None]] = Counter()
        self.base_at = datetime.fromtimestamp(0, UTC)
        self.kept_base = Kept(BASE_SECONDS)
        self.kept_hops = Kept(0.8)
        self.kept_series = {name: Kept(seconds) for name, (_, seconds) in RANGES.items()}
        self.models: list[str] = []

    async def hops(self) -> dict[str, Any]:
        figures = await self.kept_hops.get(self.count)
        return figures | {"watching": self.watching}

    async def series(self, name: str) -> dict[str, Any]:
        return await self.kept_series[name].get(lambda: self.draw(RANGES[name][0]))

    async def count_base(self) -> None:
        moment = await self.database.fetchval("select now()")
        self.base = counter(await self.database.fetch(BASE, moment))
        self.base_at = moment

    async def totals(self) -> Counter[tuple[str | None, str | None, str | None]]:
        """Studies by outcome, label and model; the base's waiting ones are taken from what is finished since.

        A study of the base that is assessed anew counts twice until the next base.
        """
        await self.kept_base.get(self.count_base)
        since = counter(await self.database.fetch(SINCE, self.base_at))
        settled = counter(await self.database.fetch(SETTLED, self.base_at))
        totals = self.base + since + settled
        totals[None, None, None] = max(0, totals[None, None, None] - settled.total())
        return totals

    async def count(self) -> dict[str, Any]:
        totals = await self.totals()
        waiting = await self.database.fetchrow(WAITING)
        rates = await self.database.fetchrow(RATES, datetime.now(UTC) - timedelta(seconds=60))
        times = await self.database.fetchrow(TIMES)
        self.models = sorted({model for _, _, model in totals if model})
        outcomes: Counter[str] = Counter()
        labels: Counter[str] = Counter()
        for (outcome, label, _), number in totals.items():
            outcomes[outcome or "waiting"] += number
            if label:
                labels[label] += number
        outcomes["waiting"] = waiting["count"]
        p50, p95 = times["recorded"] or (None, None)
        oldest = (datetime.now(UTC) - waiting["oldest"]).total_seconds() if waiting["oldest"] else None
        return {
            "received": totals.total(),
            "received_rate": rates["received"],
            "bytes_rate": int(rates["bytes"]),
            "waiting": waiting["count"],
            "oldest_waiting": rounded(oldest),
            "recorded_rate": rates["recorded"],
            "announce_seconds": rounded(times["announced"]),
            "assess_seconds": rounded(times["assessed"]),
            "p50": rounded(p50),
            "p95": rounded(p95),
            "outcomes": {name: outcomes[name] for name in ("waiting", "assessed", "rejected", "failed")},
            "labels": {name: labels[name] for name in ("Normal", "Unsure", "Pneumonia")},
        }

    async def draw(self, span: int) -> dict[str, Any]:
        """What the charts show: one list entry for each of the bins, the oldest first."""
        width = span // BINS
        last = int(time.time()) // width
        first = last - BINS + 1
        begin = datetime.fromtimestamp(first * width, UTC)
        recorded = {row["bin"]: row for row in await self.database.fetch(SERIES, begin, width)}
        received = dict(await self.database.fetch(RECEIVED, begin, width))
        waiting = await self.database.fetchval("select count(*) from studies_shown where outcome is null")
        risks = [[0] * RISK_STEPS for _ in range(BINS)]
        for bin_, step, number in await self.database.fetch(RISKS, begin, width):
            if first <= bin_ <= last:
                risks[bin_ - first][step] = number
        bins = range(first, last + 1)
        counts = {name: [recorded[b][name] if b in recorded else 0 for b in bins] for name in SERIES_COUNTS}
        seconds = [recorded[b]["seconds"] or (None, None) if b in recorded else (None, None) for b in bins]
        arrived = [received.get(b, 0) for b in bins]
        return counts | {
            "begin": first * width,
            "width": width,
            "received": arrived,
            "waiting": backlog(waiting, arrived, counts["recorded"]),
            "p50": [rounded(pair[0]) for pair in seconds],
            "p95": [rounded(pair[1]) for pair in seconds],
            "risks": risks,
        }


SERIES_COUNTS = ("recorded", "normal", "unsure", "pneumonia", "without")


def counter(rows: list[Any]) -> Counter[tuple[str | None, str | None, str | None]]:
    return Counter({(row["outcome"], row["label"], row["model_version"]): row["count"] for row in rows})


def backlog(now: int, received: list[int], recorded: list[int]) -> list[int]:
    """How many waited at the end of each bin, walking back from those that wait now."""
    waiting, found = now, []
    for arrived, left in zip(reversed(received), reversed(recorded), strict=True):
        found.append(max(0, waiting))
        waiting += left - arrived
    return found[::-1]


def rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(float(seconds), 3)
