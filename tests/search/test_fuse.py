from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.search.fuse import best_first, reciprocal_rank, weighted_sum


def test_weighted_sum_worked_by_hand() -> None:
    scores = np.array([[1.0, 0.5, 0.0], [0.0, 0.5, 0.2]], np.float32)
    np.testing.assert_allclose(weighted_sum(scores, [0.75, 0.25]), [0.75, 0.5, 0.05], rtol=1e-6)
    assert weighted_sum(scores, [1, 1]).dtype == np.float32


def test_reciprocal_rank_worked_by_hand() -> None:
    ids, scores = reciprocal_rank([np.array([7, 3, 9]), np.array([3, 4])])
    # 3: 1/62 + 1/61 · 7: 1/61 · 4: 1/62 · 9: 1/63
    assert ids.tolist() == [3, 7, 4, 9]
    np.testing.assert_allclose(scores, [1 / 62 + 1 / 61, 1 / 61, 1 / 62, 1 / 63], rtol=1e-6)


def test_reciprocal_rank_of_little_or_nothing() -> None:
    none = np.empty(0, np.int64)
    assert [len(part) for part in reciprocal_rank([])] == [0, 0]
    assert [len(part) for part in reciprocal_rank([none, none])] == [0, 0]
    ids, scores = reciprocal_rank([none, np.array([5])], constant=1)
    assert (ids.tolist(), scores.tolist()) == ([5], [0.5])


def test_equal_scores_are_ordered_by_the_smaller_id() -> None:
    assert reciprocal_rank([np.array([9, 1]), np.array([1, 9])])[0].tolist() == [1, 9]
    assert best_first(np.array([5, 2, 8]), np.array([1.0, 1.0, 2.0], np.float32)).tolist() == [2, 1, 0]


@given(st.lists(st.permutations(range(6)), min_size=1, max_size=4))
def test_reciprocal_rank_keeps_an_order_that_all_share(rankings: list[list[int]]) -> None:
    ids, scores = reciprocal_rank([np.array(ranking) for ranking in rankings])
    assert sorted(ids.tolist()) == list(range(6))
    assert (np.diff(scores) <= 0).all()
    place = {id: rank for rank, id in enumerate(ids.tolist())}
    for one in range(6):
        for other in range(6):
            if all(ranking.index(one) < ranking.index(other) for ranking in rankings):
                assert place[one] < place[other]


def test_reciprocal_rank_sums_many_rankings_exactly_enough() -> None:
    assert reciprocal_rank([np.array([4])] * 61)[1][0] == pytest.approx(1.0)
