"""The mixture finds planted components, and never calls the lowest value high."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.train.mixture import fit_two, probability_low, split_clean


def planted(low: tuple[float, float, int], high: tuple[float, float, int], seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return np.concatenate([random.normal(mean, deviation, count) for mean, deviation, count in (low, high)])


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ((0.3, 0.05, 3000), (0.7, 0.08, 2000)),
        ((0.2, 0.03, 500), (0.6, 0.1, 4500)),
        ((0.3, 0.08, 4500), (0.8, 0.05, 500)),
    ],
)
def test_planted_means_deviations_and_shares_come_back(low, high):
    mixture = fit_two(planted(low, high))
    for place, (mean, deviation, count) in enumerate((low, high)):
        assert mixture.means[place] == pytest.approx(mean, abs=0.02)
        assert np.sqrt(mixture.variances[place]) == pytest.approx(deviation, abs=0.015)
        assert mixture.shares[place] == pytest.approx(count / 5000, abs=0.03)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_planted_lots_are_told_apart_at_any_scale(scale):
    values = scale * planted((-1.0, 0.3, 600), (1.0, 0.5, 400))
    low = probability_low(values) > 0.5
    assert (low == (np.arange(1000) < 600)).mean() > 0.97


def test_overlapping_lots_give_calibrated_probabilities():
    """Of the samples with probability near p, a share of about p is of the low lot."""
    values = planted((0.0, 1.0, 20_000), (2.5, 1.0, 20_000), seed=1)
    probability, truth = probability_low(values), np.arange(40_000) < 20_000
    for start in np.arange(0, 1, 0.2):
        inside = (probability >= start) & (probability < start + 0.2)
        assert truth[inside].mean() == pytest.approx(probability[inside].mean(), abs=0.05)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_a_probability_that_falls_with_the_value(values):
    probability = probability_low(values)
    assert ((probability >= 0) & (probability <= 1)).all()
    assert (np.diff(probability[np.argsort(values)]) <= 1e-9).all()


def test_a_broad_high_lot_does_not_swallow_the_lowest_value():
    values = np.append(planted((0.5, 0.01, 500), (0.7, 0.3, 500)), -3.0)
    assert probability_low(values)[-1] == probability_low(values).max()


def test_one_lot_only():
    assert probability_low([0.3, 0.3, 0.3]).tolist() == [1, 1, 1]
    assert probability_low([7.0]).tolist() == [1]


@pytest.mark.parametrize("values", [[], [1.0, float("nan")], [float("inf"), 0.0], [[1.0, 2.0]]])
def test_bad_values_are_refused(values):
    with pytest.raises(InputError, match="finite numbers"):
        probability_low(values)


def test_somebody_is_always_doubtful():
    assert split_clean(np.array([0.9, 0.2, 0.6])).tolist() == [True, False, True]
    sure = np.linspace(0.6, 1.0, 400)
    assert np.flatnonzero(~split_clean(sure)).tolist() == [0, 1, 2, 3]
    assert split_clean(np.array([0.9, 0.8])).tolist() == [True, False]
