# SPDX-License-Identifier: GPL-3.0-or-later
"""How the network is tuned: the numbers, which images make a batch, how fast it learns when. Without PyTorch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .data import Sample


@dataclass(frozen=True)
class Recipe:
    """Chosen before the final figures were seen; every number is part of the checkpoint's name."""

    steps: int = 400
    batch: int = 32
    rate: float = 2e-3  # of a parameter's own root mean square, for each step
    warm_up: int = 40
    frozen: int = 5  # blocks: the stem and the first three stages
    decay: float = 1e-4
    smoothing: float = 0.05
    mixing: float = 0.3  # mixup's alpha
    dropout: float = 0.2
    averaging: float = 0.99
    adults: float = 0.12  # share of a batch
    seed: int = 0


def draw_rows(samples: Sequence[Sample], recipe: Recipe, step: int) -> NDArray[np.int_]:
    """Rows of one batch: labels in equal parts, of normals also both families of files, some adults."""
    dice = np.random.default_rng([recipe.seed, step, 1])
    groups: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        groups.setdefault(group_of(sample), []).append(row)
    children = (1 - recipe.adults) / 2
    shares = {
        "pneumonia": children, "IM": children / 2, "NORMAL2": children / 2,
        "adult 0": recipe.adults / 2, "adult 1": recipe.adults / 2,
    }  # fmt: skip
    present = {name: share for name, share in shares.items() if name in groups}
    odds = np.array(list(present.values())) / sum(present.values())
    return np.array([dice.choice(groups[name]) for name in dice.choice(list(present), recipe.batch, p=odds)])


def group_of(sample: Sample) -> str:
    if sample.adult:
        return f"adult {sample.pneumonia}"
    return "pneumonia" if sample.pneumonia else sample.family


def schedule(step: int, recipe: Recipe) -> float:
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    return 0.5 + 0.5 * float(np.cos(np.pi * (step - recipe.warm_up) / (recipe.steps - recipe.warm_up)))
