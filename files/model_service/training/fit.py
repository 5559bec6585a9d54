# SPDX-License-Identifier: GPL-3.0-or-later
"""The classifier on the backbone's features: logistic regression, judged on patients it has not seen. No files."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.preprocessing import StandardScaler

from .features import Features
from .figures import Numbers, Truth, balance
from .graph import Head

FOLDS = 5
# At 1e-2 the AUROC gains less than 0.001 and the specificity on the held-out family NORMAL2 falls from 0.93 to 0.92.
INVERSE_PENALTY = 3e-3


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


def risks_of(head: Head, logits: Numbers) -> Numbers:
    return 1 / (1 + np.exp(-(head.slope * logits + head.offset)))


def unseen_logits(
    plain: Features, disturbed: Features, truth: Truth, patients: Sequence[str]
) -> tuple[Numbers, Numbers]:
    """Logits of (plain, disturbed) images, each by a model that saw no image of its patient."""
    logits = np.zeros(len(truth)), np.zeros(len(truth))
    splits = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(plain, truth, patients)
    for seen, unseen in splits:
        weights, bias = fit_linear(np.r_[plain[seen], disturbed[seen]], np.r_[truth[seen], truth[seen]])
        for part, features in zip(logits, (plain, disturbed), strict=True):
            part[unseen] = features[unseen] @ weights + bias
    return logits


def fit_head(plain: Features, disturbed: Features, truth: Truth, logits: tuple[Numbers, Numbers]) -> Head:
    """The classifier on all images, calibrated by the logits of unseen patients."""
    both = np.r_[truth, truth]
    weights, bias = fit_linear(np.r_[plain, disturbed], both)
    slope, offset = fit_platt(np.concatenate(logits), both, balance(both))
    return Head(weights, bias, slope, offset)


def logits_without(plain: Features, disturbed: Features, truth: Truth, held: NDArray[np.bool_]) -> Numbers:
    """Logits of the held rows' plain images, by a model fitted on all other rows."""
    weights, bias = fit_linear(np.r_[plain[~held], disturbed[~held]], np.r_[truth[~held], truth[~held]])
    return plain[held] @ weights + bias
