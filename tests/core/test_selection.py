"""A selection finds its ids among any others, however they are spread."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.selection import Selection

ENDS = [-(2**63), 2**63 - 1]
narrow, wide = st.integers(-40, 40), st.integers(-(2**63), 2**63 - 1) | st.sampled_from(ENDS)


def ascending(ids: st.SearchStrategy[int]) -> st.SearchStrategy[np.ndarray]:
    scattered = st.lists(ids, unique=True, max_size=40).map(lambda drawn: np.array(sorted(drawn), np.int64))
    runs = st.tuples(narrow, st.integers(0, 60)).map(lambda run: np.arange(run[0], run[0] + run[1]))
    return scattered | runs


@given(ascending(narrow) | ascending(wide) | ascending(narrow | wide), ascending(narrow) | ascending(narrow | wide))
def test_it_finds_its_own(selected: np.ndarray, ids: np.ndarray) -> None:
    selection = Selection(selected)
    expected = np.isin(ids, selected)
    np.testing.assert_array_equal(selection.mask(ids), expected)
    np.testing.assert_array_equal(selection.rows(ids), np.flatnonzero(expected))
    assert len(selection) == len(selected)


@given(ascending(narrow) | ascending(wide), narrow, st.integers(0, 50))
def test_a_stretch(selected: np.ndarray, first: int, more: int) -> None:
    expected = np.isin(np.arange(first, first + more + 1), selected)
    np.testing.assert_array_equal(Selection(selected).between(first, first + more), expected)


def test_a_mask_that_was_given_may_be_changed() -> None:
    selection = Selection(np.arange(10, 20))
    selection.between(12, 15)[:] = False
    assert selection.between(12, 15).all()


@pytest.mark.parametrize("ids", [(5, 3), (3, 3)])
def test_ids_must_ascend(ids: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="ascend"):
        Selection(np.array(ids))
