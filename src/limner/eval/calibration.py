"""Scores that mean something: a logistic curve from score to probability (Platt 1999), and how far confidence errs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats
from limner.eval.metrics.base import Doubles


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


def calibration_errors(confidence: Floats, right: npt.NDArray[np.bool_], bins: int = 15) -> Doubles:
    """(n,) whose mean is the expected calibration error of n answers (Naeini et al. 2015; Guo et al. 2017).

    The answers are put into equal bins by `confidence` (0 to 1); the error is the distance between the mean
    confidence of a bin and its share of right answers, weighted by its size. Each answer contributes its own
    difference, with the sign of its bin's, so a single value may be negative.
    """
    numbers = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = confidence.astype(np.float64) - right
    signs = np.sign(np.bincount(numbers, gaps, bins))
    errors: Doubles = signs[numbers] * gaps
    return errors
