"""The logistic curve: recovers a known one, moves with the prior, refuses what has no answer."""

import numpy as np
import pytest

from limner.core.errors import InputError
from limner.eval.calibration import fit_logistic


def normal_scores(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two normal distributions of equal spread: the true curve is logistic with slope (m1 - m0) / s^2."""
    rng = np.random.default_rng(0)
    return rng.normal(0.5, 0.1, n).astype(np.float32), rng.normal(0.2, 0.1, 5 * n).astype(np.float32)


def test_recovers_the_true_curve():
    slope, offset = fit_logistic(*normal_scores(40_000), prior=0.5)
    assert slope == pytest.approx(30, rel=0.03)
    assert offset == pytest.approx(-30 * 0.35, rel=0.03)


def test_the_prior_moves_the_curve_by_its_odds():
    scores = normal_scores(40_000)
    slope, offset = fit_logistic(*scores, prior=0.1)
    assert slope == pytest.approx(30, rel=0.05)
    assert offset == pytest.approx(-30 * 0.35 + np.log(0.1 / 0.9), rel=0.05)


@pytest.mark.parametrize(
    ("positives", "negatives", "prior"),
    [([], [1.0], 0.5), ([1.0], [], 0.5), ([1.0, 2.0], [0.0, 0.5], 0.5), ([1.0, 0.2], [0.5], 0.0)],
)
def test_refuses_what_has_no_best_curve(positives, negatives, prior):
    with pytest.raises(InputError):
        fit_logistic(np.array(positives, np.float32), np.array(negatives, np.float32), prior)
