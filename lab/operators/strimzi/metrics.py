# SPDX-License-Identifier: GPL-3.0-or-later
"""Counters and gauges in Prometheus' text format. Pure."""

from __future__ import annotations

from collections import defaultdict

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Named series; a name that ends in _total is a counter, any other a gauge."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._series: dict[str, dict[Labels, float]] = defaultdict(dict)

    def add(self, name: str, amount: float = 1, /, **labels: str) -> None:
        key = tuple(sorted(labels.items()))
        self._series[name][key] = self._series[name].get(key, 0) + amount

    def set(self, name: str, value: float, /, **labels: str) -> None:
        self._series[name][tuple(sorted(labels.items()))] = value

    def drop(self, name: str, /, **labels: str) -> None:
        """Forgets one series: partitions move to other consumers."""
        self._series[name].pop(tuple(sorted(labels.items())), None)

    def text(self) -> str:
        lines: list[str] = []
        for name, series in sorted(self._series.items()):
            full = f"{self._prefix}_{name}"
            lines.append(f"# TYPE {full} {'counter' if name.endswith('_total') else 'gauge'}")
            lines += [f"{full}{_labels(labels)} {value:.15g}" for labels, value in sorted(series.items())]
        return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels) + "}" if labels else ""
