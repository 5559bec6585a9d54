# SPDX-License-Identifier: GPL-3.0-or-later
"""The linear classifier on the backbone's features, and what turns its logit into a probability. No files."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from model_service.figures import Numbers, Truth, balance
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from .features import Features
from .graph import Head

INVERSE_PENALTY = 3e-3
LEAST = 0.60  # the shipped threshold: from here on a study is Unsure or Pneumonia
SENSITIVITY = 0.955  # wanted there; more would cost the specificity that other hospitals' normals lack anyway


def fit_linear(features: Features, truth: Truth) -> tuple[Numbers, float]:
    """(weights (1280,), bias) on raw features; both classes count the same, whatever their numbers."""
    scaler = StandardScaler().fit(features.astype(np.float64))
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=2000, class_weight="balanced")
    model.fit(scaler.transform(features.astype(np.float64)), truth)
    weights = model.coef_[0] / scaler.scale_
    return weights, float(model.intercept_[0] - weights @ scaler.mean_)


def fit_platt(logits: Numbers, truth: Truth, weights: Numbers) -> tuple[float, float]:
    """(slope, offset) that make sigmoid(slope * logit + offset) a probability. Source: Platt 1999."""

    def loss(parameters: NDArray[np.float64]) -> float:
        margin = np.where(truth == 1, 1, -1) * (np.exp(parameters[0]) * logits + parameters[1])
        return float(np.average(np.logaddexp(0, -margin), weights=weights))

    log_slope, offset = minimize(loss, [0.0, 0.0], method="Nelder-Mead").x
    return float(np.exp(log_slope)), float(offset)


def calibrated(head: Head, sets: Sequence[Numbers], truth: Truth) -> Head:
    """The head with its probability fitted on all these sets of logits, of the same pictures, both classes equal.

    The offset is then set by the first set, pictures as they are, so that LEAST is where their sensitivity is wanted.
    """
    slope, _ = fit_platt(np.concatenate(sets), np.tile(truth, len(sets)), np.tile(balance(truth), len(sets)))
    limit = float(np.quantile(sets[0][truth == 1], 1 - SENSITIVITY))
    return replace(head, slope=slope, offset=float(np.log(LEAST / (1 - LEAST)) - slope * limit))


def risks_of(head: Head, logits: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-(head.slope * logits + head.offset)))


def cross_fitted(head: Head, sets: Sequence[Numbers], truth: Truth, half: NDArray[np.bool_]) -> list[Numbers]:
    """Risks for each set of logits, those of one half of the patients by a calibration on the other half's."""
    risks = [np.zeros(len(truth)) for _ in sets]
    for ours in (half, ~half):
        fitted = calibrated(head, [logits[~ours] for logits in sets], truth[~ours])
        for risk, logits in zip(risks, sets, strict=True):
            risk[ours] = risks_of(fitted, logits[ours])
    return risks
