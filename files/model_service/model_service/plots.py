# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves of an evaluation as PNG. The only module that knows matplotlib, which the service's image does not have."""

from pathlib import Path

import matplotlib
import numpy as np

from . import figures
from .figures import Numbers, Truth
from .model import Thresholds

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

BINS = 10
NORMAL, PNEUMONIA = "#0072b2", "#d55e00"  # of Okabe and Ito's palette


def draw_all(truth: Truth, risks: Numbers, thresholds: Thresholds, version: str, folder: Path) -> list[Path]:
    """The files drawn. Both labels must be there."""
    drawn = []
    for name, draw in {
        "roc": draw_roc, "calibration": draw_calibration, "risk_coverage": draw_coverage, "scores": draw_scores,
    }.items():  # fmt: skip
        figure, axes = pyplot.subplots(figsize=(5, 5), layout="constrained")
        draw(axes, truth, risks, thresholds)
        axes.grid(alpha=0.3)
        axes.legend(title=f"model {version}, {len(truth)} images", fontsize="small", title_fontsize="small")
        drawn.append(folder / f"{name}.png")
        figure.savefig(drawn[-1], dpi=120, metadata={"Software": None})
        pyplot.close(figure)
    return drawn


def draw_roc(axes: Axes, truth: Truth, risks: Numbers, thresholds: Thresholds) -> None:
    order = np.argsort(-risks, kind="stable")
    last = np.append(np.diff(risks[order]) != 0, True)
    found, missed = np.cumsum(truth[order])[last] / truth.sum(), np.cumsum(1 - truth[order])[last] / (1 - truth).sum()
    axes.plot([0, *missed], [0, *found], color=NORMAL, label=f"AUROC {figures.auroc(truth, risks):.4f}")
    sensitivity = figures.sensitivity(truth, risks, thresholds.normal)
    false_alarms = 1 - figures.specificity(truth, risks, thresholds.normal)
    axes.plot(false_alarms, sensitivity, "o", color=PNEUMONIA, label=f"risk >= {thresholds.normal:g}")
    axes.set(title="Pneumonia or Unsure against Normal", xlabel="1 - specificity", ylabel="sensitivity")


def draw_calibration(axes: Axes, truth: Truth, risks: Numbers, thresholds: Thresholds) -> None:
    bin_of = np.minimum((risks * BINS).astype(int), BINS - 1)
    used = [number for number in range(BINS) if (bin_of == number).any()]
    points = [(risks[bin_of == number].mean(), truth[bin_of == number].mean()) for number in used]
    axes.plot([0, 1], [0, 1], color="gray", linestyle="--", label="perfect")
    error = figures.expected_calibration_error(truth, risks, BINS)
    axes.plot(*zip(*points, strict=True), "o-", color=NORMAL, label=f"expected calibration error {error:.3f}")
    axes.set(title="Calibration", xlabel="risk told", ylabel="share with pneumonia")


def draw_coverage(axes: Axes, truth: Truth, risks: Numbers, thresholds: Thresholds) -> None:
    middle = (thresholds.normal + thresholds.pneumonia) / 2
    coverage, mistakes = figures.risk_coverage(truth, risks, middle)
    axes.plot(coverage, mistakes, color=NORMAL, label="the least sure images left undecided")
    decided = (risks < thresholds.normal) | (risks > thresholds.pneumonia)
    if decided.any():
        share = ((risks >= middle) != truth)[decided].mean()
        axes.plot(decided.mean(), share, "o", color=PNEUMONIA, label="those labelled Unsure left undecided")
    axes.set(title="Risk and coverage", xlabel="share decided", ylabel="share of mistakes among the decided")


def draw_scores(axes: Axes, truth: Truth, risks: Numbers, thresholds: Thresholds) -> None:
    edges = np.linspace(0, 1, 41)
    for label, colour, value in (("NORMAL", NORMAL, 0), ("PNEUMONIA", PNEUMONIA, 1)):
        axes.hist(risks[truth == value], edges, color=colour, alpha=0.6, label=label)
    axes.axvspan(thresholds.normal, thresholds.pneumonia, color="gray", alpha=0.25, label="Unsure")
    axes.set(title="Scores", xlabel="risk", ylabel="images (log)", yscale="log")
