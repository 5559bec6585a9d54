# SPDX-License-Identifier: GPL-3.0-or-later
"""The quality gate: which kind of picture it is, told from the backbone's features. Judged with kinds held out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from model_service.figures import Numbers
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from .changes import to_input, varied
from .features import Features
from .foreign import Kind
from .graph import ViewHead
from .pictures import Pixels

NAMES = ("frontal", "inverted", "sideways", "upside_down", "other")
INVERSE_PENALTY = 1e-2
FALSE_REJECTS = 0.005  # half of the 1 % promised, because other hospitals' pictures differ
TURNS = {"inverted": None, "sideways": (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270),
         "upside_down": (Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM)}  # fmt: skip


@dataclass(frozen=True)
class Examples:
    """Pictures, the view each shows, and the finer kind by which they are held out."""

    pixels: Pixels
    views: NDArray[np.str_]
    kinds: NDArray[np.str_]


def turned(picture: Image.Image, view: str, dice: np.random.Generator) -> Image.Image:
    """An upright picture as `view` would show it."""
    if view == "frontal":
        return picture
    if view == "inverted":
        return picture.point(range(255, -1, -1))
    return picture.transpose(TURNS[view][int(dice.integers(2))])


def chest_examples(larger: Sequence[Pixels], view: str, seed: int) -> Examples:
    """One varied picture of each chest X-ray."""
    rows = []
    for number, chest in enumerate(larger):
        dice = np.random.default_rng([seed, NAMES.index(view), number])
        rows.append(to_input(turned(varied(Image.fromarray(chest), dice), view, dice)))
    names = np.full(len(rows), view)
    return Examples(np.stack(rows), names, names)


def foreign_examples(kinds: Mapping[str, Kind], each: int, seed: int) -> Examples:
    rows, names = [], []
    for name, draw in kinds.items():
        for number in range(each):
            rows.append(to_input(draw(np.random.default_rng([seed, *name.encode(), number]))))
            names.append(name)
    return Examples(np.stack(rows), np.full(len(rows), "other"), np.array(names))


def fit_views(features: Features, views: NDArray[np.str_]) -> ViewHead:
    """Multinomial logistic regression, every view counting the same."""
    scaler = StandardScaler().fit(features.astype(np.float64))
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=300, tol=1e-3, class_weight="balanced")
    model.fit(scaler.transform(features.astype(np.float64)), views)
    order = [list(model.classes_).index(name) for name in NAMES]
    weights = model.coef_[order].T / scaler.scale_[:, None]
    return ViewHead(NAMES, weights, model.intercept_[order] - scaler.mean_ @ weights)


def frontal(head: ViewHead, features: Features) -> Numbers:
    """The share of `frontal` in the softmax."""
    logits = features @ head.weights + head.bias
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers[:, 0] / powers.sum(1)


def choose_threshold(frontals: Numbers) -> float:
    """The least `frontal` to be scored, by chest X-rays that the fit has not seen."""
    return float(np.clip(np.quantile(frontals, FALSE_REJECTS), 0.02, 0.5))


@dataclass(frozen=True)
class GateExamples:
    """Features to fit and judge the gate with. `held`, `held_turned`: which pictures are of held-out patients."""

    shown: Mapping[str, Features]  # upright chest X-rays: as they are, and changed
    turned: Mapping[str, Features]  # by view
    strange: Features
    kinds: NDArray[np.str_]  # of the strange ones
    held: NDArray[np.bool_]
    held_turned: NDArray[np.bool_]

    def fit(self, rows: NDArray[np.bool_], without: str = "") -> ViewHead:
        """On these chest X-rays; the turned ones of held-out patients are left out where some are; without a kind."""
        every = bool(rows.all())
        parts = [(NAMES[0], features[rows]) for features in self.shown.values()]
        parts += [(name, features[every | ~self.held_turned]) for name, features in self.turned.items()]
        parts.append((NAMES[-1], self.strange[self.kinds != without]))
        labels = np.concatenate([np.full(len(features), name) for name, features in parts])
        return fit_views(np.concatenate([features for _, features in parts]), labels)

    def frontal_of_held_out(self, head: ViewHead) -> Numbers:
        return np.concatenate([frontal(head, features[self.held]) for features in self.shown.values()])

    def caught_unshown(self, threshold: float) -> dict[str, float]:
        """By kind: the share rejected by a gate that was fitted without it."""
        shares = {}
        for kind in sorted(set(self.kinds)):
            head = self.fit(~self.held, without=kind)
            shares[str(kind)] = round(float((frontal(head, self.strange[self.kinds == kind]) < threshold).mean()), 4)
        return shares
