"""Word by word, where a picture was found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.types import Region
from limner.search.explain import best_place, find_words

LEFT, RIGHT = Region((0, 0, 0.5, 1), "red"), Region((0.5, 0, 1, 1), "blue")


@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_each_word_is_where_the_token_is_that_scores_most(seed: int, count: int, rows: int, columns: int):
    rng = np.random.default_rng(seed)
    vectors, tokens = (rng.normal(size=(n, 8)).astype(np.float32) for n in (count, rows * columns))
    found = find_words([f"w{number}" for number in range(count)], vectors, tokens, (rows, columns))
    for number, (region, word) in enumerate(zip(found, vectors, strict=True)):
        left, top, right, bottom = region.box
        token = round(top * rows) * columns + round(left * columns)
        assert float(word @ tokens[token]) == pytest.approx(max(float(word @ other) for other in tokens), abs=1e-5)
        assert (right - left, bottom - top) == pytest.approx((1 / columns, 1 / rows))
        assert region.label == f"w{number}"


def test_what_does_not_fit_is_refused():
    one = np.ones((1, 2), np.float32)
    assert find_words([], np.empty((0, 2), np.float32), one, (1, 1)) == []
    for words, tokens, grid in ((["a", "b"], one, (1, 1)), (["a"], one, (1, 2)), (["a"], one[:0], (1, 1))):
        with pytest.raises(InputError, match="for each"):
            find_words(words, one, tokens, grid)


def test_the_best_place_is_where_the_parts_add_up_to_most():
    regions = {"late: red": LEFT, "late: thing": Region(LEFT.box, "thing"), "late: blue": RIGHT}
    assert best_place({"late: red": 0.2, "late: thing": 0.2, "late: blue": 0.3}, regions) == Region(
        LEFT.box, "red thing"
    )
    assert best_place({"late: red": 0.2, "late: thing": -0.2, "late: blue": 0.3}, regions) == RIGHT


def test_there_may_be_no_best_place():
    assert best_place({}, {}) is None
    assert best_place({"late: red": 0.3, "late: blue": 0.3}, {"late: red": LEFT, "late: blue": RIGHT}) is None
    assert best_place({"late: red": -0.3}, {"late: red": LEFT}) is None
