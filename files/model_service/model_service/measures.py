# SPDX-License-Identifier: GPL-3.0-or-later
"""Every figure of an evaluation with its 95 % interval. Pure.

A decision is `Pneumonia or Unsure` (risk at or above the lower threshold) against `Normal`.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import figures
from .figures import Numbers, Truth
from .model import Thresholds

DRAWS = 500
Figures = dict[str, dict[str, Any]]

# Names in the order in which `values` computes them.
NAMES = (
    "auroc", "auprc", "sensitivity", "specificity", "accuracy", "ece", "brier",
    "unsure_share", "decided_mistakes", "mistakes_in_unsure", "risk_coverage_area",
)  # fmt: skip


def measure(truth: Truth, risks: Numbers, patients: Sequence[str], thresholds: Thresholds) -> Figures:
    """By name: value and interval; None for what these images do not tell, such as an AUROC of one label only."""
    if not len(truth):
        return {name: {"value": None, "interval": None} for name in NAMES}
    estimates = values(truth, risks, thresholds)
    ends = figures.intervals(patients, lambda rows: values(truth[rows], risks[rows], thresholds), DRAWS)
    return {name: told(value, *end) for name, value, end in zip(NAMES, estimates, ends.tolist(), strict=True)}


def values(truth: Truth, risks: Numbers, thresholds: Thresholds) -> list[float]:
    positives, negatives = int(truth.sum()), int((1 - truth).sum())
    both, least = positives and negatives, thresholds.normal
    unsure = (risks >= thresholds.normal) & (risks <= thresholds.pneumonia)
    middle = (thresholds.normal + thresholds.pneumonia) / 2
    wrong = (risks >= middle) != truth
    return [
        figures.auroc(truth, risks) if both else math.nan,
        figures.average_precision(truth, risks) if positives else math.nan,
        figures.sensitivity(truth, risks, least) if positives else math.nan,
        figures.specificity(truth, risks, least) if negatives else math.nan,
        figures.accuracy(truth, risks, least),
        figures.expected_calibration_error(truth, risks),
        figures.brier_score(truth, risks),
        float(unsure.mean()),
        float(wrong[~unsure].mean()) if not unsure.all() else math.nan,
        float(unsure[wrong].mean()) if wrong.any() else math.nan,
        float(figures.risk_coverage(truth, risks, middle)[1].mean()),
    ]


def rejected_rate(rejected: Sequence[bool], patients: Sequence[str]) -> dict[str, Any]:
    if not rejected:
        return told(math.nan, math.nan, math.nan)
    shares = np.array(rejected, float)
    return told(float(shares.mean()), *figures.interval(patients, lambda rows: float(shares[rows].mean()), DRAWS))


def told(value: float, low: float, high: float) -> dict[str, Any]:
    known = not math.isnan(value)
    interval = [round(low, 4), round(high, 4)] if known and not math.isnan(low) else None
    return {"value": round(value, 4) if known else None, "interval": interval}
