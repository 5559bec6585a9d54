# SPDX-License-Identifier: GPL-3.0-or-later
"""Candidates compared on pictures of patients that none of them saw: as they are, and changed in known ways."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from model_service import figures
from model_service.figures import Numbers, Truth
from model_service.measures import measure
from model_service.model import Thresholds
from numpy.typing import NDArray
from PIL import Image

from . import fit
from .changes import SHIFTS, shifted, to_input, varied
from .data import Sample
from .features import Extractor
from .graph import Head, feature_model
from .pictures import Pictures, Pixels

AS_IS, VARIED = "as they are", "varied"
TOLERANCE = 0.001  # of AUROC: among equals the least tuned, which is nearer to weights that have seen more of the world
SENSITIVITY = 0.95  # at which candidates' specificities are compared


@dataclass(frozen=True)
class Candidate:
    """A backbone and the linear classifier on its features."""

    parameters: Mapping[str, NDArray[Any]]
    weights: Numbers
    bias: float

    def between(self, other: "Candidate", share: float) -> "Candidate":
        """The weights `share` of the way to the other one's. Source: WiSE-FT (Wortsman et al. 2022)."""

        def mix(ours: Any, theirs: Any) -> Any:
            return (1 - share) * ours + share * theirs

        parameters = {name: mix(value, other.parameters[name]) for name, value in self.parameters.items()}
        return Candidate(parameters, mix(self.weights, other.weights), mix(self.bias, other.bias))

    def logits(self, pixels: Pixels, cores: int) -> Numbers:
        features = Extractor(feature_model(self.parameters).SerializeToString(), cores).extract(pixels)
        return features.astype(np.float64) @ self.weights + self.bias


def test_sets(pictures: Pictures, rows: Sequence[int]) -> dict[str, Pixels]:
    """The pictures in these rows as the service sees them, under each shift, and varied as in training."""
    sets = {AS_IS: pictures.served[list(rows)]}
    for name, change in SHIFTS.items():
        sets[name] = np.stack([shifted(pictures.larger[row], change, row) for row in rows])
    sets[VARIED] = np.stack([one_varied(pictures.larger[row], row) for row in rows])
    return sets


def one_varied(larger: Pixels, seed: int) -> Pixels:
    return to_input(varied(Image.fromarray(larger), np.random.default_rng([seed, 7])))


def distinct(samples: Sequence[Sample]) -> list[int]:
    """Rows that hold each picture once: of copies in several sizes the largest, which comes last in the manifest."""
    last = {(sample.patient, sample.file.name): row for row, sample in enumerate(samples)}
    return sorted(last.values())


def compare(
    candidates: Mapping[str, Candidate], sets: Mapping[str, Pixels], truth: Truth, cores: int
) -> dict[str, dict[str, Numbers]]:
    """Logits by candidate and set."""
    logits: dict[str, dict[str, Numbers]] = {}
    for name, candidate in candidates.items():
        logits[name] = {title: candidate.logits(pixels, cores) for title, pixels in sets.items()}
        print(f"  {name}: mean AUROC under shifts {mean_auroc(logits[name], truth):.4f}", file=sys.stderr, flush=True)
    return logits


def mean_auroc(logits: Mapping[str, Numbers], truth: Truth) -> float:
    """What candidates are chosen by: untouched pictures are left out, they no longer tell models apart."""
    return float(np.mean([figures.auroc(truth, one) for title, one in logits.items() if title != AS_IS]))


def choose(logits: Mapping[str, Mapping[str, Numbers]], truth: Truth) -> str:
    """The first candidate that none of the others beats by more than a tolerance."""
    means = {name: mean_auroc(sets, truth) for name, sets in logits.items()}
    return next(name for name, mean in means.items() if mean > max(means.values()) - TOLERANCE)


def calibrate(candidate: Candidate, logits: Mapping[str, Numbers], truth: Truth) -> Head:
    """On the shifted pictures as well: what is saturated on pictures as they are would promise too much elsewhere."""
    return fit.calibrated(Head(candidate.weights, candidate.bias, 1.0, 0.0), list(logits.values()), truth)


def cross_fitted(head: Head, samples: Sequence[Sample], logits: Mapping[str, Numbers]) -> dict[str, Numbers]:
    """Risks by set, from calibrations on the other half of the patients."""
    truth = np.array([sample.pneumonia for sample in samples])
    half = np.array([sample.in_a_half for sample in samples])
    return dict(zip(logits, fit.cross_fitted(head, list(logits.values()), truth, half), strict=True))


def figures_by_set(samples: Sequence[Sample], risks: Mapping[str, Numbers]) -> dict[str, Any]:
    truth = np.array([sample.pneumonia for sample in samples])
    return {title: figures_of(samples, truth, one) for title, one in risks.items()}


def figures_of(samples: Sequence[Sample], truth: Truth, risks: Numbers) -> dict[str, Any]:
    counts = {"images": len(truth), "pneumonia": int(truth.sum())}
    return counts | measure(truth, risks, [sample.patient for sample in samples], Thresholds())


def comparison(logits: Mapping[str, Mapping[str, Numbers]], truth: Truth) -> dict[str, dict[str, list[float]]]:
    """By candidate and set: AUROC, and the specificity where the sensitivity is 95 %."""
    return {
        name: {title: [round(figures.auroc(truth, one), 4), round(specificity_at(truth, one), 3)]
               for title, one in sets.items()}
        for name, sets in logits.items()
    }  # fmt: skip


def specificity_at(truth: Truth, logits: Numbers) -> float:
    return figures.specificity(truth, logits, float(np.quantile(logits[truth == 1], 1 - SENSITIVITY)))
