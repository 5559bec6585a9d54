# SPDX-License-Identifier: GPL-3.0-or-later
"""The training's curves as PNG: no pixel of an X-ray in any of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import pyplot
from model_service import figures
from model_service.figures import Numbers, Truth
from model_service.model import Thresholds
from model_service.plots import draw_all

from .judge import AS_IS

SMOOTHED = 25  # steps


def draw(
    folder: Path, curve: Sequence[tuple[int, float]], logits: Mapping[str, Mapping[str, Numbers]], truth: Truth,
    risks: Mapping[str, Numbers],
) -> None:  # fmt: skip
    """Loss by step, candidates by shift, and the chosen one's curves: as the pictures are, and over all shifts."""
    folder.mkdir(parents=True, exist_ok=True)
    draw_loss(folder, curve)
    draw_candidates(folder, logits, truth)
    shifted = [one for title, one in risks.items() if title != AS_IS]
    for name, told, labels in (
        ("held_out", risks[AS_IS], truth),
        ("shifted", np.concatenate(shifted), np.tile(truth, len(shifted))),
    ):
        (folder / name).mkdir(exist_ok=True)
        draw_all(labels, told, Thresholds(), name.replace("_", " "), folder / name)


def save(folder: Path, name: str) -> None:
    pyplot.savefig(folder / f"{name}.png", dpi=100, metadata={"Software": None})
    pyplot.close()


def draw_loss(folder: Path, curve: Sequence[tuple[int, float]]) -> None:
    steps, losses = np.array(curve).T
    pyplot.subplots(figsize=(6, 4), layout="constrained")
    pyplot.plot(steps, losses, color="lightgray", label="each batch")
    window = min(SMOOTHED, len(losses))
    smooth = np.convolve(losses, np.ones(window) / window, "valid")
    pyplot.plot(steps[window - 1 :], smooth, color="#0072b2", label=f"mean of {window}")
    pyplot.gca().set(title="Training (mixed, smoothed targets)", xlabel="step", ylabel="cross-entropy")
    pyplot.legend()
    save(folder, "loss")


def draw_candidates(folder: Path, logits: Mapping[str, Mapping[str, Numbers]], truth: Truth) -> None:
    pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, sets in logits.items():
        pyplot.plot(list(sets), [figures.auroc(truth, one) for one in sets.values()], "o-", label=name)
    pyplot.xticks(rotation=40, ha="right")
    pyplot.gca().set(title="Patients that no candidate saw, by shift", ylabel="AUROC")
    pyplot.grid(alpha=0.3)
    pyplot.legend()
    save(folder, "candidates")
