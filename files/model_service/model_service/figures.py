# SPDX-License-Identifier: GPL-3.0-or-later
"""How good scores are: ranking, decisions, calibration, coverage; intervals by drawing patients again. Pure.

The trainer and `evaluate` share it.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Truth = NDArray[np.int_]  # 1 pneumonia, 0 normal


def auroc(truth: Truth, scores: Numbers) -> float:
    """The chance that a pneumonia scores above a normal; ties count half (Mann-Whitney)."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives, negatives = int(truth.sum()), int((1 - truth).sum())
    return float((ranks[truth == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def average_precision(truth: Truth, scores: Numbers) -> float:
    """Area under precision by recall, as steps; images of the same score come together."""
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(truth[order])
    last = np.append(np.diff(scores[order]) != 0, True)
    precision, recall = (found / np.arange(1, len(truth) + 1))[last], found[last] / max(1, found[-1])
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def sensitivity(truth: Truth, risks: Numbers, threshold: float) -> float:
    """Share of pneumonias at or above the threshold."""
    return float((risks[truth == 1] >= threshold).mean())


def specificity(truth: Truth, risks: Numbers, threshold: float) -> float:
    return float((risks[truth == 0] < threshold).mean())


def accuracy(truth: Truth, risks: Numbers, threshold: float) -> float:
    return float(((risks >= threshold) == truth).mean())


def balance(truth: Truth) -> Numbers:
    """Weights under which both classes count the same."""
    return np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth).mean())


def calibration_error(truth: Truth, risks: Numbers, bins: int = 10) -> float:
    """Expected calibration error over equal bins, both classes weighted the same."""
    weights, bin_of = balance(truth), np.minimum((risks * bins).astype(int), bins - 1)
    gaps = [np.sum(weights[bin_of == b] * (truth[bin_of == b] - risks[bin_of == b])) for b in range(bins)]
    return float(np.abs(gaps).sum() / weights.sum())


def expected_calibration_error(truth: Truth, risks: Numbers, bins: int = 10) -> float:
    """Expected calibration error over equal bins, every image weighted the same."""
    bin_of = np.minimum((risks * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, weights=truth - risks, minlength=bins)
    return float(np.abs(gaps).sum() / len(truth))


def brier_score(truth: Truth, risks: Numbers) -> float:
    return float(np.mean((risks - truth) ** 2))


def risk_coverage(truth: Truth, risks: Numbers, middle: float) -> tuple[Numbers, Numbers]:
    """(shares of images that are decided, share of mistakes among those), when the images nearest to `middle` go first.

    What is decided is `Pneumonia` above the middle and `Normal` below.
    """
    clipped = np.clip(risks, 1e-6, 1 - 1e-6)
    distance = np.abs(np.log(clipped / (1 - clipped)) - np.log(middle / (1 - middle)))
    wrong = ((risks >= middle) != truth)[np.argsort(-distance, kind="stable")]
    decided = np.arange(1, len(truth) + 1)
    return decided / len(truth), np.cumsum(wrong) / decided


def interval(
    patients: Sequence[str], figure: Callable[[NDArray[np.int_]], float], draws: int = 300, seed: int = 0
) -> tuple[float, float]:
    """95 % interval of `figure(rows)`, patients drawn with replacement."""
    low, high = intervals(patients, lambda rows: [figure(rows)], draws, seed)[0]
    return float(low), float(high)


def intervals(
    patients: Sequence[str], figures: Callable[[NDArray[np.int_]], Sequence[float]], draws: int = 300, seed: int = 0
) -> Numbers:
    """(number of figures, 2): the same of several figures at once; draws in which one is not a number do not count."""
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    order = np.argsort(owner, kind="stable")
    rows_of = np.split(order, np.searchsorted(owner[order], np.arange(1, len(names))))
    dice = np.random.default_rng(seed)
    drawn = [dice.integers(0, len(names), len(names)) for _ in range(draws)]
    values = np.array([figures(np.concatenate([rows_of[name] for name in draw])) for draw in drawn])
    return np.nanpercentile(values, [2.5, 97.5], axis=0).T


def describe(truth: Truth, risks: Numbers, patients: Sequence[str], threshold: float) -> dict[str, object]:
    """Every figure by name, estimates with their 95 % intervals, to four digits."""
    estimates: dict[str, Callable[[NDArray[np.int_]], float]] = {
        "auroc": lambda rows: auroc(truth[rows], risks[rows]),
        "accuracy": lambda rows: accuracy(truth[rows], risks[rows], threshold),
        "sensitivity": lambda rows: sensitivity(truth[rows], risks[rows], threshold),
        "specificity": lambda rows: specificity(truth[rows], risks[rows], threshold),
    }
    figures: dict[str, object] = {
        "images": len(truth),
        "patients": len(set(patients)),
        "pneumonia": int(truth.sum()),
        "threshold": threshold,
        "calibration_error": round(calibration_error(truth, risks), 4),
    }
    for name, estimate in estimates.items():
        figures[name] = round(estimate(np.arange(len(truth))), 4)
        figures[f"{name}_interval"] = [round(end, 4) for end in interval(patients, estimate)]
    return figures
