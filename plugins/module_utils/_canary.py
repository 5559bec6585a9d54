# SPDX-License-Identifier: GPL-3.0-or-later
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Judges a new revision of the function by what it logged of each study. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ansible_collections.xraylab.medical_diagnosis.plugins.module_utils import _readiness as readiness

CONTAINER = "user-container"  # Knative's name for it
SUCCEEDED, FAILED = ("assessed", "rejected"), ("refused", "retry")
REASONS_SHOWN = 3


@dataclass(frozen=True)
class Tally:
    """Studies that a revision had to assess, by outcome, and why it failed, each reason with its number.

    What was recorded before and what is no study says nothing of a revision, and is not counted.
    """

    outcomes: Counter[str]
    errors: Counter[str]

    @property
    def handled(self) -> int:
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        return sum(self.outcomes[name] for name in FAILED)

    @property
    def error_rate(self) -> float:
        return self.failed / self.handled if self.handled else 0.0

    def result(self) -> dict[str, Any]:
        return {
            "handled": self.handled,
            "failed": self.failed,
            "error_rate": round(self.error_rate, 4),
            "outcomes": dict(self.outcomes),
            "errors": [f"{text} ({count})" for text, count in self.errors.most_common(REASONS_SHOWN)],
        }


@dataclass(frozen=True)
class Limits:
    min_studies: int
    max_error_rate: float


@dataclass(frozen=True)
class Verdict:
    """`state` is keep, roll_back or wait."""

    state: str
    reason: str


def tally(lines: Iterable[str]) -> Tally:
    """From a log's lines; what is no line of a study is passed over."""
    outcomes: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for line in lines:
        entry = parse(line)
        outcome = entry.get("message")
        if outcome in SUCCEEDED + FAILED and "stages" in entry:
            outcomes[outcome] += 1
        if outcome in FAILED and "stages" in entry:
            errors[str(entry.get("error", "no reason given"))] += 1
    return Tally(outcomes, errors)


def parse(line: str) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}


def trouble(pods: Iterable[dict[str, Any]]) -> str:
    """Why a revision's pods do not work, "" when they do. A container that was started anew has failed before."""
    for pod in pods:
        stuck = readiness.container_trouble(pod)
        if stuck:
            return f"Pod {pod['metadata']['name']}: {stuck[1]}."
        for status in readiness.value_at(pod, "status.containerStatuses") or []:
            if status["name"] == CONTAINER and status.get("restartCount"):
                ended = (status.get("lastState") or {}).get("terminated") or {}
                why = f" ({ended.get('reason')}, exit code {ended.get('exitCode')})" if ended else ""
                return f"Pod {pod['metadata']['name']}: its container ended {status['restartCount']} times{why}."
    return ""


def judge(canary: Tally, kept: Tally, broken: str, limits: Limits, over: bool) -> Verdict:
    """Waits for `min_studies` until time is `over`, but not when there are too many errors already."""
    if broken:
        return Verdict("roll_back", broken)
    expected = canary.handled if over else max(canary.handled, limits.min_studies)
    measured = say(canary, kept, limits)
    if canary.failed > limits.max_error_rate * expected:
        return Verdict("roll_back", measured)
    return Verdict("keep" if over or canary.handled >= limits.min_studies else "wait", measured)


def say(canary: Tally, kept: Tally, limits: Limits) -> str:
    rate = f"{canary.error_rate:.1%}, at most {limits.max_error_rate:.1%}"
    reasons = "; ".join(canary.result()["errors"])
    return (
        f"It failed for {canary.failed} of {canary.handled} studies ({rate})"
        f"{f': {reasons}' if reasons else ''}; the kept revision meanwhile for {kept.failed} of {kept.handled}."
    )
