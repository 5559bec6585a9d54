# SPDX-License-Identifier: GPL-3.0-or-later
"""Prometheus metrics. Every label's values are a closed set known in this code, but for the model's one version."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from .results import utc_text

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        process = ProcessCollector(registry=self.registry)
        name = "risk_assessment_"
        self.studies = Counter(
            name + "studies", "Studies by outcome and label.", ["outcome", "label"], registry=self.registry
        )
        self.events = Counter(name + "events", "Events by HTTP answer.", ["answer"], registry=self.registry)
        self.stages = Histogram(
            name + "stage_seconds", "Seconds by stage.", ["stage"], buckets=BUCKETS, registry=self.registry
        )
        self.fetched = Counter(name + "fetched_bytes", "Bytes of X-rays fetched.", registry=self.registry)
        self.in_flight = Gauge(name + "in_flight", "Studies in progress.", registry=self.registry)
        self.start = Gauge(
            name + "start_seconds", "Seconds from the process's start to its model being warm.", registry=self.registry
        )
        self.start.set(started_ago(process))
        self.model = Gauge(name + "model_info", "The model that is loaded.", ["version"], registry=self.registry)

    def tell_model(self, version: str) -> None:
        """One at a time; none before a server has told its version."""
        self.model.clear()
        if version:
            self.model.labels(version).set(1)

    def text(self) -> bytes:
        return generate_latest(self.registry)


def started_ago(process: ProcessCollector) -> float:
    """Seconds since this process began, 0 where the system does not tell."""
    begin = [sample.value for metric in process.collect() for sample in metric.samples if "start_time" in sample.name]
    return time.time() - begin[0] if begin else 0.0


class Progress:
    """How far one study came, also when it fails: seconds and end by stage, and the bytes that were fetched."""

    def __init__(self) -> None:
        self.stages: dict[str, float] = {}
        self.ends: dict[str, str] = {}
        self.fetched_bytes = 0

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[name] = round(time.perf_counter() - start, 6)
            self.ends[name] = utc_text()

    @property
    def seconds(self) -> float:
        return round(sum(self.stages.values()), 6)
