"""What is kept of each kind of representation, and that merging keeps it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.types import Dense, Representation, Space, Sparse, Tokens, concatenate
from limner.index import chunks as chunks_module
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.layout import CEILING, fits, fitted, from_arrays, to_arrays
from limner.index.vectors import MERGED_SHARDS, VectorStore

DENSE = Space("dense", "dense", 3, "dot")
WORDS = Space("words", "sparse", 50, "dot")
PARTS = Space("parts", "tokens", 3, "maxsim")


def draw(space: Space, n: int, rng: np.random.Generator) -> Representation:
    if space.kind == "dense":
        return Dense(rng.normal(size=(n, 3)).astype(np.float32))
    lengths = rng.integers(0, 5, size=n)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if space.kind == "tokens":
        return Tokens(offsets, rng.normal(size=(offsets[-1], 3)).astype(np.float32))
    terms = np.concatenate([np.empty(0, np.int64), *(rng.permutation(50)[:length] for length in lengths)])
    return Sparse(offsets, terms, rng.uniform(0, 5, size=len(terms)).astype(np.float32), 50)


def same(one: Representation, other: Representation) -> bool:
    names = ["values", *(["offsets"] if isinstance(one, Tokens) else ["indptr", "indices"] * isinstance(one, Sparse))]
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in names)


@pytest.mark.parametrize("space", [DENSE, WORDS, PARTS], ids=lambda space: space.kind)
@given(seed=st.integers(0, 99), n=st.integers(0, 9))
def test_what_is_kept_goes_round_and_is_kept_again(space: Space, seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    kept = fitted(draw(space, n, rng), space)
    assert same(fitted(kept, space), kept)
    arrays = to_arrays(kept, space)
    assert fits(arrays, n, space)
    assert not fits(arrays, n + 1, space)
    rows = rng.permutation(n)[: n // 2 + 1]
    assert same(from_arrays(arrays, rows, space), kept.take(rows))


def test_weights_are_kept_in_steps_up_to_a_ceiling() -> None:
    step = np.float32(CEILING / 255)
    given_ = Sparse(np.array([0, 4]), np.array([7, 3, 9, 1]), np.array([9, 1, step / 3, 0], np.float32), 50)
    kept = fitted(given_, WORDS)
    assert isinstance(kept, Sparse)
    assert kept.indices.tolist() == [3, 7]
    np.testing.assert_allclose(kept.values, [np.rint(1 / step) * step, CEILING], rtol=1e-6)


def test_tokens_are_kept_in_half_precision() -> None:
    kept = fitted(Tokens(np.array([0, 1]), np.array([[0.1, 1, 2]], np.float32)), PARTS)
    np.testing.assert_array_equal(kept.values, np.array([[0.1, 1, 2]], np.float16).astype(np.float32))


def words(*pairs: tuple[int, float]) -> Sparse:
    terms, weights = zip(*pairs, strict=True)
    return Sparse(np.array([0, len(pairs)]), np.array(terms), np.array(weights, np.float32), 50)


@pytest.mark.parametrize(
    ("wrong", "space", "message"),
    [
        (Dense(np.ones((1, 3), np.float32)), WORDS, "needs Sparse, not Dense"),
        (words((1, 1.0)), PARTS, "needs Tokens, not Sparse"),
        (words((1, -1.0)), WORDS, "a weight is negative"),
        (words((1, np.nan)), WORDS, "a weight is negative, NaN"),
        (words((50, 1.0)), WORDS, "outside of 0 to 49"),
        (words((-1, 1.0)), WORDS, "outside of 0 to 49"),
        (words((4, 1.0), (4, 2.0)), WORDS, "a term twice"),
        (Sparse(np.array([0, 0]), np.empty(0, np.int64), np.empty(0, np.float32), 51), WORDS, "has 50 terms, not 51"),
        (Tokens(np.array([0, 1]), np.ones((1, 4), np.float32)), PARTS, r"shape \(n, 3\), not \(1, 4\)"),
        (Tokens(np.array([0, 1]), np.full((1, 3), 1e5, np.float32)), PARTS, "longer than 60000"),
        (Tokens(np.array([0, 1]), np.full((1, 3), np.inf, np.float32)), PARTS, "NaN or infinity"),
    ],
)
def test_what_does_not_fit_is_refused(wrong: Representation, space: Space, message: str) -> None:
    with pytest.raises(InputError, match=f"space {space.name}: .*{message}"):
        fitted(wrong, space)


@pytest.mark.parametrize("space", [DENSE, WORDS, PARTS], ids=lambda space: space.kind)
def test_merging_keeps_every_kind(catalogue: Catalogue, space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks_module, "_CHUNK_ROWS", 7)
    rng = np.random.default_rng(0)
    store = VectorStore(catalogue, ArrayFolder(catalogue.path.parent / "vectors"), "model", space)
    items = fitted(draw(space, 5 * MERGED_SHARDS, rng), space)
    keys = rng.permutation(5 * MERGED_SHARDS)
    for start in range(0, len(keys), 5):
        store.add(keys[start : start + 5], items.take(np.arange(start, start + 5)))
    store.remove(keys[:4])
    store.compact()
    assert store.stats()["shards"] == 1
    taken, made = store.take(np.arange(5 * MERGED_SHARDS))
    order = np.argsort(keys[4:])
    assert taken.tolist() == keys[4:][order].tolist()
    assert same(made, items.take(np.arange(4, len(keys))[order]))


def test_joining_nothing_is_nothing() -> None:
    for space in (DENSE, WORDS, PARTS):
        assert len(concatenate([], space)) == 0
        assert same(concatenate([space.nothing()], space), space.nothing())
