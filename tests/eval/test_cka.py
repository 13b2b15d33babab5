"""CKA: sees through rotations and scales, sees nothing where there is nothing, and its bias where few items are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from limner.core.errors import InputError
from limner.eval.cka import cka, compare_spaces, rank_correlation


def space(n: int, d: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)


def rotation(d: int, seed: int) -> np.ndarray:
    return np.linalg.qr(space(d, d, seed))[0]


def hsic(first: np.ndarray, second: np.ndarray) -> float:
    """Song et al. 2012, equation 5, as it is written."""
    n = len(first)
    k, l = (np.asarray(one, np.float64) @ np.asarray(one, np.float64).T for one in (first, second))  # noqa: E741
    np.fill_diagonal(k, 0)
    np.fill_diagonal(l, 0)
    traced = np.trace(k @ l) + k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 * k.sum(0) @ l.sum(1) / (n - 2)
    return traced / (n * (n - 3))


@given(st.integers(4, 30), st.integers(1, 12), st.integers(1, 12), st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_the_unbiased_estimator_is_the_published_formula(n: int, d: int, e: int, seed: int) -> None:
    first, second = space(n, d, seed), space(n, e, seed + 1000) + 3
    if min(hsic(first, first), hsic(second, second)) < 1e-6:
        return
    wanted = hsic(first, second) / np.sqrt(hsic(first, first) * hsic(second, second))
    assert cka(first, second) == pytest.approx(wanted, abs=1e-5)


@pytest.mark.parametrize("unbiased", [True, False])
def test_rotations_scales_and_shifts_change_nothing(unbiased: bool) -> None:
    one = space(60, 8, 0)
    other = 3.5 * one @ rotation(8, 1) - 7
    assert cka(one, other, unbiased=unbiased) == pytest.approx(1, abs=1e-5)
    third = space(60, 5, 2)
    assert cka(one, third, unbiased=unbiased) == pytest.approx(cka(other, third, unbiased=unbiased), abs=1e-5)
    assert cka(one, third, unbiased=unbiased) == pytest.approx(cka(third, one, unbiased=unbiased), abs=1e-9)


def test_the_biased_form_is_the_one_of_the_cross_covariance() -> None:
    one, other = (values - values.mean(0) for values in (space(50, 6, 0), space(50, 4, 1)))
    wanted = np.linalg.norm(other.T @ one) ** 2 / (np.linalg.norm(one.T @ one) * np.linalg.norm(other.T @ other))
    assert cka(one, other, unbiased=False) == pytest.approx(wanted, rel=1e-5)


def test_unrelated_spaces_of_many_dimensions() -> None:
    one, other = space(40, 300, 0), space(40, 300, 1)
    assert cka(one, other, unbiased=False) > 0.8
    assert abs(cka(one, other)) < 0.1


def test_what_is_shared_raises_it() -> None:
    shared = space(200, 6, 0)
    names = {"much": 0.2, "little": 2.0}
    noisy = {name: shared + noise * space(200, 6, 1) for name, noise in names.items()}
    found = compare_spaces({"clean": shared}, noisy)
    assert found["clean", "much"] > 0.9 > 0.5 > found["clean", "little"] > 0


def test_bad_input() -> None:
    with pytest.raises(InputError, match="5 and 6 items"):
        cka(space(5, 2, 0), space(6, 2, 0))
    with pytest.raises(InputError, match="at least 4"):
        cka(space(3, 2, 0), space(3, 2, 0))
    with pytest.raises(InputError, match="are the same"):
        cka(space(9, 2, 0), np.ones((9, 2), np.float32))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=3, max_size=20))
def test_rank_correlation_is_spearmans(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    if min(len(set(first)), len(set(second))) == 1:
        assert np.isnan(rank_correlation(first, second))
    else:
        assert rank_correlation(first, second) == pytest.approx(spearmanr(first, second).statistic, abs=1e-9)
