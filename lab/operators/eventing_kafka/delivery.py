# SPDX-License-Identifier: GPL-3.0-or-later
"""Retry rules of a KafkaSource's delivery spec. Pure.

Source: WebClientCloudEventSender and the source reconciler's defaults in knative-extensions/eventing-kafka-broker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?")
RETRIABLE = frozenset((404, 408, 409, 429))


@dataclass(frozen=True)
class Policy:
    """Retries after the first try, the delay's growth and base, and one try's time limit (seconds)."""

    retry: int = 10
    backoff: str = "exponential"
    delay: float = 10.0
    timeout: float = 600.0

    def pause(self, retries: int) -> float:
        """Seconds before retry number `retries` (1, 2, ...)."""
        return self.delay * (2**retries if self.backoff == "exponential" else retries)


def seconds(duration: str) -> float:
    """An ISO 8601 duration (PT0.5S, PT1M30S, P1D) in seconds."""
    match = DURATION.fullmatch(duration)
    if not match or not any(match.groups()):
        raise ValueError(f"expected an ISO 8601 duration such as PT0.5S, saw {duration!r}")
    days, hours, minutes, rest = (float(g or 0) for g in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + rest


def parse(spec: dict[str, Any] | None) -> Policy:
    """spec.delivery with Knative's defaults."""
    spec, default = spec or {}, Policy()
    backoff = spec.get("backoffPolicy", default.backoff)
    if backoff not in ("linear", "exponential"):
        raise ValueError(f"expected delivery.backoffPolicy linear or exponential, saw {backoff!r}")
    return Policy(
        int(spec.get("retry", default.retry)),
        backoff,
        seconds(spec["backoffDelay"]) if spec.get("backoffDelay") else default.delay,
        seconds(spec["timeout"]) if spec.get("timeout") else default.timeout,
    )


def delivered(code: int) -> bool:
    return 200 <= code < 300


def retriable(code: int | None) -> bool:
    """Whether another try can help; None stands for no answer at all."""
    return code is None or code >= 500 or code in RETRIABLE
