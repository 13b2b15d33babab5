"""Scores that mean something: a logistic curve from score to probability (Platt 1999)."""

from __future__ import annotations

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Floats


def fit_logistic(positives: Floats, negatives: Floats, prior: float) -> tuple[float, float]:
    """(slope, offset) of P(relevant | score) = 1 / (1 + exp(-(slope * score + offset))).

    `positives` (n,) and `negatives` (m,): scores of pairs that belong together and that do not. `prior`:
    the share of pairs that belong together where the probability will be read; both samples are
    weighted to it. Maximum likelihood by Newton's method. Raises InputError where the samples are
    empty, or are separated without overlap, so that no finite curve is best.
    """
    if not len(positives) or not len(negatives) or not 0 < prior < 1:
        raise InputError("calibration needs scores of both kinds and a prior between 0 and 1")
    scores = np.concatenate([positives, negatives]).astype(np.float64)
    labels = np.concatenate([np.ones(len(positives)), np.zeros(len(negatives))])
    weights = np.concatenate(
        [np.full(len(positives), prior / len(positives)), np.full(len(negatives), (1 - prior) / len(negatives))]
    )
    if positives.min() > negatives.max() or positives.max() < negatives.min():
        raise InputError("calibration: the two kinds of scores do not overlap; more pairs are needed")
    centre, spread = scores.mean(), scores.std()
    design = np.stack([(scores - centre) / spread, np.ones_like(scores)], axis=1)
    beta = np.array([1.0, np.log(prior / (1 - prior))])
    for _ in range(100):
        probability = 1 / (1 + np.exp(-(design @ beta)))
        gradient = design.T @ (weights * (labels - probability))
        curvature = design.T @ (design * (weights * probability * (1 - probability))[:, None])
        step = np.linalg.solve(curvature + 1e-12 * np.eye(2), gradient)
        beta += step * min(1.0, 2.0 / (np.abs(step).max() + 1e-12))
        if np.abs(step).max() < 1e-10:
            break
    slope = float(beta[0] / spread)
    return slope, float(beta[1] - slope * centre)
