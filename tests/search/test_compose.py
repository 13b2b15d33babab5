from __future__ import annotations

import numpy as np
import pytest

from limner.core.errors import InputError
from limner.search.compose import compose, shares

RED, GREEN = np.eye(2, dtype=np.float32)


def test_worked_by_hand() -> None:
    direction, scale = compose(np.array([2.0, -1.0]), np.stack([RED, GREEN]))
    assert scale == pytest.approx(5**0.5)
    np.testing.assert_allclose(direction, [2 / 5**0.5, -1 / 5**0.5], rtol=1e-6)
    # An item at (0.6, 0.8): share of red 2 x 0.6 / sqrt 5, of green -0.8 / sqrt 5.
    parts = shares(np.array([2.0, -1.0]), scale, np.array([[0.6], [0.8]], np.float32))
    np.testing.assert_allclose(parts, [[1.2 / 5**0.5], [-0.8 / 5**0.5]], rtol=1e-6)


def test_one_term_keeps_its_direction_whatever_its_weight() -> None:
    np.testing.assert_allclose(compose(np.array([0.001]), RED[None])[0], RED)
    np.testing.assert_allclose(compose(np.array([-1000.0]), RED[None])[0], -RED)


def test_shares_add_up_to_the_cosine_of_the_composed_direction() -> None:
    random = np.random.default_rng(1)
    units, items = random.normal(size=(5, 16)), random.normal(size=(7, 16))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    weights = random.uniform(-3, 3, 5)
    direction, scale = compose(weights, units.astype(np.float32))
    parts = shares(weights, scale, (units @ items.T).astype(np.float32))
    np.testing.assert_allclose(parts.sum(axis=0), items @ direction, atol=1e-6)


def test_terms_that_cancel_are_refused() -> None:
    with pytest.raises(InputError, match="cancel"):
        compose(np.array([1.0, -1.0]), np.stack([RED, RED]))
    with pytest.raises(InputError, match="cancel"):
        compose(np.array([300.0, -100.0, -200.0]), np.stack([GREEN, GREEN, GREEN]))
    compose(np.array([1.0, -0.99]), np.stack([RED, RED]))
