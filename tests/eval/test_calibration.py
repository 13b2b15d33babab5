"""The logistic curve: recovers a known one, moves with the prior, refuses what has no answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.eval.calibration import calibration_errors, fit_logistic


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


class TestCalibrationErrors:
    def test_by_hand(self):
        # Bin 0.9: mean confidence 0.95, half are right: 0.45. Bin 0.2: 0.25, all right: 0.75. Weighted 2 to 1.
        confidence = np.array([0.92, 0.98, 0.25], np.float32)
        errors = calibration_errors(confidence, np.array([True, False, True]), bins=10)
        assert errors.mean() == pytest.approx((2 * 0.45 + 0.75) / 3)

    def test_what_errs_both_ways_in_one_bin_is_calibrated(self):
        errors = calibration_errors(np.full(4, 0.5, np.float32), np.array([True, False, True, False]))
        assert errors.mean() == pytest.approx(0)

    @given(st.integers(0, 2**16), st.integers(1, 40))
    def test_is_the_weighted_distance_of_bins(self, seed: int, bins: int):
        rng = np.random.default_rng(seed)
        confidence, right = rng.random(60).astype(np.float32), rng.random(60) < 0.4
        confidence[0] = 1.0
        expected = 0.0
        for low in range(bins):
            inside = (confidence * bins >= low) & ((confidence * bins < low + 1) | (low == bins - 1))
            if inside.any():
                expected += inside.mean() * abs(right[inside].mean() - confidence[inside].mean(dtype=np.float64))
        assert calibration_errors(confidence, right, bins).mean() == pytest.approx(expected, abs=1e-6)
