from __future__ import annotations

import numpy as np
import pytest

from limner.core.errors import InputError
from limner.core.types import Dense, Sparse, Tokens
from limner.search.compose import compose

LABELS = ("first", "second")
RED, GREEN = np.eye(2, dtype=np.float32)


def dense(*rows: np.ndarray) -> Dense:
    return Dense(np.stack(rows).astype(np.float32))


def test_worked_by_hand() -> None:
    asked = compose(LABELS, np.array([2.0, -1.0]), dense(RED, GREEN))
    assert asked.scale == pytest.approx(5**0.5)
    np.testing.assert_allclose(asked.queries.values, [[2 / 5**0.5, -1 / 5**0.5]], rtol=1e-6)
    # An item at (0.6, 0.8): share of red 2 x 0.6 / sqrt 5, of green -0.8 / sqrt 5.
    parts = asked.shares(np.array([[0.6], [0.8]], np.float32))
    np.testing.assert_allclose(parts, [[1.2 / 5**0.5], [-0.8 / 5**0.5]], rtol=1e-6)


def test_one_term_keeps_its_direction_whatever_its_weight() -> None:
    np.testing.assert_allclose(compose(LABELS, np.array([0.001]), dense(RED)).queries.values, RED[None])
    np.testing.assert_allclose(compose(LABELS, np.array([-1000.0]), dense(RED)).queries.values, -RED[None])


def test_shares_add_up_to_the_cosine_of_the_composed_direction() -> None:
    random = np.random.default_rng(1)
    units, items = random.normal(size=(5, 16)), random.normal(size=(7, 16))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    asked = compose(LABELS, random.uniform(-3, 3, 5), dense(*units))
    parts = asked.shares((units @ items.T).astype(np.float32))
    np.testing.assert_allclose(parts.sum(axis=0), items @ asked.queries.values[0], atol=1e-6)


def test_terms_that_cancel_are_refused() -> None:
    with pytest.raises(InputError, match="cancel"):
        compose(LABELS, np.array([1.0, -1.0]), dense(RED, RED))
    with pytest.raises(InputError, match="cancel"):
        compose(LABELS, np.array([300.0, -100.0, -200.0]), dense(GREEN, GREEN, GREEN))
    compose(LABELS, np.array([1.0, -0.99]), dense(RED, RED))


def test_weighted_words_of_all_terms_are_one_query() -> None:
    """Terms {3: 1, 5: 2} and {5: 1, 9: 4} with weights 3 and -1."""
    units = Sparse(np.array([0, 2, 4]), np.array([3, 5, 5, 9]), np.array([1, 2, 1, 4], np.float32), 10)
    asked = compose(LABELS, np.array([3.0, -1.0]), units)
    assert isinstance(asked.queries, Sparse)
    assert asked.queries.indices.tolist() == [3, 5, 9]
    np.testing.assert_allclose(asked.queries.values, [3 / 4, (6 - 1) / 4, -4 / 4])
    # An item {5: 0.5, 9: 1}: similarities 1 and 4.5.
    parts = asked.shares(np.array([[1.0], [4.5]], np.float32))
    assert parts.sum() == pytest.approx(0.5 * 5 / 4 - 1)


def test_only_wanted_terms_of_token_sets_are_searched() -> None:
    units = Tokens(np.array([0, 1, 3, 4]), np.arange(8, dtype=np.float32).reshape(4, 2))
    asked = compose(LABELS, np.array([1.0, -2.0, 1.0]), units)
    assert isinstance(asked.queries, Tokens)
    assert asked.queries.values.tolist() == [[0, 1], [6, 7]]
    np.testing.assert_allclose(asked.shares(np.array([[1], [2], [1]], np.float32))[:, 0], [0.25, -0.5, 0.25])


def test_by_word_each_word_has_its_share() -> None:
    units = Sparse(np.array([0, 2, 4]), np.array([3, 5, 5, 9]), np.array([1, 2, 1, 4], np.float32), 10)
    whole = compose(LABELS, np.array([3.0, -1.0]), units)
    words = whole.by_word(lambda term: f"w{term}")
    assert words.labels == ("w3", "w5", "-w5", "-w9")
    assert words.queries is whole.queries
    # An item {5: 0.5, 9: 1}.
    alone = words.shares(np.array([[0.0], [0.5], [0.5], [1.0]], np.float32))[:, 0]
    np.testing.assert_allclose(alone, [0, 3 / 4, -0.5 / 4, -4 / 4])
    np.testing.assert_allclose(alone.sum(), whole.shares(np.array([[1.0], [4.5]], np.float32)).sum())


def test_by_vector_each_word_has_its_share() -> None:
    """Terms of two words and of three patches, wanted, and of one word, unwanted; only the words have names."""
    units = Tokens(np.array([0, 2, 5, 6]), np.arange(12, dtype=np.float32).reshape(6, 2))
    whole = compose(("red red", "image:x.png", "-red"), np.array([1.0, 2.0, -1.0]), units)
    words = whole.by_vector([["red", "red"], [], ["red"]])
    assert words.labels == ("red", "red (2)", "image:x.png", "-red")
    assert words.queries is whole.queries
    assert isinstance(words.units, Tokens)
    assert words.units.offsets.tolist() == [0, 1, 2, 5, 6]
    # MaxSim of an item to each: 0.4 and 0.2, so 0.6 together; 0.9; 0.5.
    alone = words.shares(np.array([[0.4], [0.2], [0.9], [0.5]], np.float32))[:, 0]
    np.testing.assert_allclose(alone, [0.2 / 4, 0.1 / 4, 2 * 0.3 / 4, -0.5 / 4], rtol=1e-6)
    np.testing.assert_allclose(alone.sum(), whole.shares(np.array([[0.6], [0.9], [0.5]], np.float32)).sum(), rtol=1e-6)
