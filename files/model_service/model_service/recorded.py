# SPDX-License-Identifier: GPL-3.0-or-later
"""What was recorded, as histograms and counters that outlive the function's pods: each row is counted once.

Rows are found by the time of their record, which may be some minutes before the row came: a function that cannot
reach the database is asked again, and keeps what its record says.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram

if TYPE_CHECKING:
    from psycopg import Connection

LATE = timedelta(minutes=10)
# What a record tells: it is written before its own stages, record and row, are over.
STAGES = ("announce", "look", "fetch", "decode", "score", "draw", "explain", "anonymize", "store")
SECONDS = (0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 30, 60, 120, 300, 900, 3600)
STAGE_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
RISKS = tuple(step / 20 for step in range(1, 21))
ROWS = """
select study, recorded_at, outcome, coalesce(label, '') as label, coalesce(model_version, '') as model_version, risk,
stages, extract(epoch from received_at - announced_at)::float as announce,
extract(epoch from recorded_at - coalesce(announced_at, received_at))::float as seconds
from studies where recorded_at >= %s order by recorded_at
"""


class Recorded:
    """Counts what is recorded from now on."""

    def __init__(self, registry: CollectorRegistry) -> None:
        own: dict[str, Any] = {"registry": registry}
        self.studies = Counter(
            "results_recorded", "Studies recorded.", ["outcome", "label", "model_version"], **own
        )  # fmt: skip
        self.seconds = Histogram("results_seconds", "Seconds from a PUT to its record.", buckets=SECONDS, **own)
        self.stages = Histogram(
            "results_stage_seconds", "Seconds by stage of a study.", ["stage"], buckets=STAGE_SECONDS, **own
        )
        self.risks = Histogram("results_risk", "Scores of assessed studies.", buckets=RISKS, **own)
        self.begin = self.newest = datetime.now(UTC)
        self.seen: dict[tuple[str, datetime], None] = {}

    def rows(self, connection: "Connection[Any]") -> list[dict[str, Any]]:
        from psycopg.rows import dict_row

        with connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(ROWS, (max(self.begin, self.newest - LATE),)).fetchall()

    def count(self, rows: list[dict[str, Any]]) -> None:
        """Counts rows that were not counted before, and forgets those that `rows` will not bring again."""
        for row in rows:
            place = (row["study"], row["recorded_at"])
            if place not in self.seen:
                self.seen[place] = None
                self.count_one(row)
        if rows:
            self.newest = max(self.newest, rows[-1]["recorded_at"])
        oldest = self.newest - LATE
        self.seen = {place: None for place in self.seen if place[1] >= oldest}

    def count_one(self, row: dict[str, Any]) -> None:
        self.studies.labels(row["outcome"], row["label"], row["model_version"]).inc()
        self.seconds.observe(max(0.0, row["seconds"]))
        if row["risk"] is not None:
            self.risks.observe(row["risk"])
        stages = row["stages"] | ({} if row["announce"] is None else {"announce": max(0.0, row["announce"])})
        for stage in STAGES:
            if isinstance(seconds := stages.get(stage), int | float):
                self.stages.labels(stage).observe(seconds)
