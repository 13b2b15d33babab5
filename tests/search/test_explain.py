"""Word by word, where a picture was found."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.search.explain import explain_words, grid_maps


def unit(rng: np.random.Generator, *shape: int) -> np.ndarray:
    drawn = rng.normal(size=shape)
    return (drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)).astype(np.float32)


@given(st.integers(0, 1000), st.integers(1, 5), st.integers(1, 4), st.integers(1, 4))
def test_the_terms_are_those_of_the_score(seed: int, count: int, rows: int, columns: int):
    rng = np.random.default_rng(seed)
    vectors, tokens = unit(rng, count, 8), unit(rng, rows * columns, 8)
    found = explain_words([f"w{number}" for number in range(count)], vectors, tokens, grid_maps(rows, columns))
    best = [max(float(word @ token) for token in tokens) for word in vectors]
    assert [one.similarity for one in found] == pytest.approx(best, abs=1e-5)
    for one, word in zip(found, vectors, strict=True):
        assert float(word @ tokens[one.token]) == pytest.approx(one.similarity, abs=1e-5)
        row, column = divmod(one.token, columns)
        left, top, right, bottom = one.region.box
        assert (left, top) == pytest.approx((column / columns, row / rows))
        assert (right - left, bottom - top) == pytest.approx((1 / columns, 1 / rows))
        assert one.region.label == one.word


def test_a_mixture_is_shown_by_the_places_that_weigh_most():
    maps = np.array([[[0.4, 0.3, 0.1], [0.1, 0.05, 0.05]], [[0, 0, 0], [0, 0, 1.0]]])
    first, second = explain_words(["a", "b"], np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), maps)
    assert first.region.box == pytest.approx((0, 0, 2 / 3, 1 / 2))
    assert second.region.box == pytest.approx((2 / 3, 1 / 2, 1, 1))


def test_what_does_not_fit_is_refused():
    one = np.ones((1, 2), np.float32)
    assert explain_words([], np.empty((0, 2), np.float32), one, grid_maps(1, 1)) == []
    for words, tokens, maps in ((["a", "b"], one, 1), (["a"], one, 2), (["a"], one[:0], 0)):
        with pytest.raises(InputError, match="for each"):
            explain_words(words, one, tokens, np.ones((maps, 1, 1)))
