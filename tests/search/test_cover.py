"""A few items that cover much: the greedy choice, against all choices where they can be counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from limner.core.errors import InputError
from limner.search.cover import cover

services = st.integers(1, 6).flatmap(
    lambda needs: st.integers(1, 7).flatmap(
        lambda items: arrays(np.float64, (needs, items), elements=st.floats(0, 1, allow_subnormal=False))
    )
)
GUARANTEE = 1 - 1 / np.e


def choice(service: npt.ArrayLike, k: int) -> list[int]:
    """`cover` with every pair of a matrix (needs, items)."""
    matrix = np.asarray(service, np.float64)
    return cover(*(place.ravel() for place in np.indices(matrix.shape)), matrix.ravel(), k)


def coverage(service: npt.ArrayLike, chosen: Sequence[int]) -> float:
    return float(np.asarray(service)[:, list(chosen)].max(axis=1, initial=0.0).sum())


def test_worked_by_hand() -> None:
    """What serves all needs fairly comes first, then what adds most to it, not what is second best alone."""
    service = [[0.6, 0.9, 0.8, 0.0], [0.6, 0.0, 0.0, 0.0], [0.6, 0.0, 0.0, 0.7]]
    assert choice(service, 3) == [0, 1, 3]
    assert coverage(service, [0]) == pytest.approx(1.8)
    assert coverage(service, [0, 1]) == pytest.approx(2.1)
    assert coverage(service, []) == 0


def test_a_twin_adds_nothing() -> None:
    assert choice([[0.9, 0.9, 0.1], [0.0, 0.0, 0.2]], 3) == [0, 2]
    assert choice([[0.0, 0.0]], 2) == choice(np.empty((3, 0)), 2) == choice(np.empty((0, 3)), 2) == []


@given(services, st.integers(1, 4))
def test_no_worse_than_is_guaranteed(service: np.ndarray, k: int) -> None:
    best = max(coverage(service, items) for items in combinations(range(service.shape[1]), min(k, service.shape[1])))
    chosen = choice(service, k)
    assert len(set(chosen)) == len(chosen) <= k
    assert coverage(service, chosen) >= GUARANTEE * best - 1e-9
    assert coverage(service, choice(service, 1)) == pytest.approx(
        coverage(service, [int(service.sum(axis=0).argmax())])
    )


@given(services, st.data())
def test_what_an_item_adds_is_never_negative_and_shrinks_as_others_are_chosen(
    service: np.ndarray, data: st.DataObject
) -> None:
    items = st.sets(st.integers(0, service.shape[1] - 1))
    few, more = data.draw(items), data.draw(items)
    item = data.draw(st.integers(0, service.shape[1] - 1))
    added = [coverage(service, [*own, item]) - coverage(service, [*own]) for own in (few, few | more)]
    assert added[0] >= added[1] - 1e-9
    assert added[1] >= -1e-9


def test_pairs_that_are_left_out_serve_nothing() -> None:
    assert cover([7, 7, 2], [3, 1, 1], [0.4, 0.3, 0.2], 5) == [1, 3]
    assert cover([], [], [], 1) == []


def test_what_cannot_be_chosen_from() -> None:
    for k in (0, -1):
        with pytest.raises(InputError, match=f"k is {k}"):
            choice([[1.0]], k)
    for wrong in (-0.1, np.nan, np.inf):
        with pytest.raises(InputError, match="from 0 on"):
            choice([[wrong]], 1)
