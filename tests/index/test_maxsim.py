"""MaxSim is what its definition says, to the last bit and whatever the blocks."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.types import Tokens
from limner.index import maxsim as module
from limner.index.maxsim import best_items, half_to_single, maxsim, winners

varied = settings(max_examples=120, deadline=None, derandomize=True, database=None)


def ragged(rng: np.random.Generator, lengths: list[int], d: int, dtype: type = np.float32) -> Tokens:
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    return Tokens(offsets, rng.normal(size=(offsets[-1], d)).astype(dtype))


def oracle(query: np.ndarray, items: Tokens) -> tuple[list[float], list[list[int]]]:
    """Scores and winners by three loops, in float64, rounded to float32 at the end."""
    scores, won = [], []
    for start, end in zip(items.offsets[:-1], items.offsets[1:], strict=True):
        best, places = [], []
        for vector in query.astype(np.float64):
            products = [(vector * token).sum() for token in items.values[start:end]]
            best.append(max(products, default=-np.inf))
            places.append(products.index(best[-1]) if products else -1)
        scores.append(float(np.float32(np.array(best).sum())))
        won.append(places)
    return scores, won


@varied
@given(
    seed=st.integers(0, 2**32),
    lengths=st.lists(st.integers(0, 9), max_size=12),
    d=st.integers(1, 20),
    vectors=st.integers(1, 12),
    half=st.booleans(),
    spread=st.sampled_from([0.0, 1e-7, 1e-3, 1.0]),
    scale=st.sampled_from([1e-3, 1.0, 100.0]),
)
def test_the_definition(
    seed: int, lengths: list[int], d: int, vectors: int, half: bool, spread: float, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    items = ragged(rng, lengths, d)
    # Near-equal tokens, whose order float32 alone gets wrong.
    values = ((rng.normal(size=d) + spread * items.values) * scale).astype(np.float16 if half else np.float32)
    items = Tokens(items.offsets, values)
    query = rng.normal(size=(vectors, d)).astype(np.float32)
    scores, won = oracle(query, items)
    assert maxsim(query, items).tolist() == scores
    assert winners(query, items).tolist() == won
    found, found_scores = best_items(query, items, 5)
    order = [row for row in np.lexsort((np.arange(len(scores)), -np.array(scores))) if lengths[row]][:5]
    assert (found.tolist(), found_scores.tolist()) == (order, [scores[row] for row in order])


def test_answers_do_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(20, 64))
    lengths = rng.integers(0, 12, 400).tolist()
    offsets = np.cumsum([0, *lengths])
    values = base[rng.integers(0, 20, offsets[-1])] + 1e-7 * rng.normal(size=(offsets[-1], 64))
    items = Tokens(offsets, values.astype(np.float32))
    query = rng.normal(size=(7, 64)).astype(np.float32)
    answers = []
    for block in (1, 7, 100, 1 << 14):
        monkeypatch.setattr(module, "_BLOCK_TOKENS", block)
        rows, scores = best_items(query, items, 30)
        one_by_one = [maxsim(query, items.take(np.array([row])))[0] for row in rows]
        assert scores.tolist() == one_by_one
        answers.append((maxsim(query, items).tolist(), winners(query, items).tolist(), rows.tolist()))
    assert all(answer == answers[0] for answer in answers)


@varied
@given(seed=st.integers(0, 2**32), copies=st.integers(1, 6), d=st.integers(1, 40))
def test_copies_of_one_vector_score_as_the_vector_and_more_vectors_never_score_less(
    seed: int, copies: int, d: int
) -> None:
    rng = np.random.default_rng(seed)
    single = ragged(rng, [1] * 10, d)
    repeated = Tokens(single.offsets * copies, np.repeat(single.values, copies, axis=0))
    query = rng.normal(size=(1, d)).astype(np.float32)
    assert maxsim(query, repeated).tolist() == maxsim(query, single).tolist()
    assert maxsim(query, single).tolist() == [
        float(np.float32((query[0].astype(np.float64) * vector).sum())) for vector in single.values
    ]
    more = ragged(rng, [copies] * 10, d)
    grown = Tokens(
        np.arange(11) * (copies + 1),
        np.concatenate([np.vstack([a, b]) for a, b in zip(single.values, np.split(more.values, 10), strict=True)]),
    )
    assert np.all(maxsim(query, grown) >= maxsim(query, single))
    assert np.all(winners(query, grown)[maxsim(query, grown) == maxsim(query, single)] == 0)


def test_items_without_vectors_are_no_answer() -> None:
    items = ragged(np.random.default_rng(2), [0, 3, 0, 1], 4)
    query = np.ones((2, 4), np.float32)
    assert np.isneginf(maxsim(query, items)).tolist() == [True, False, True, False]
    assert sorted(best_items(query, items, 10)[0].tolist()) == [1, 3]
    assert best_items(query, items, 10, np.array([True, False, True, False]))[0].tolist() == []
    nothing = ragged(np.random.default_rng(2), [], 4)
    assert maxsim(query, nothing).shape == (0,)
    assert winners(query, nothing).shape == (0, 2)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.99])
def test_only_allowed_items(share: float) -> None:
    rng = np.random.default_rng(3)
    items = ragged(rng, rng.integers(0, 5, 500).tolist(), 8, np.float16)
    query = rng.normal(size=(3, 8)).astype(np.float32)
    allowed = rng.random(500) < share
    rows, scores = best_items(query, items, 20, allowed)
    expected = np.where(allowed, maxsim(query, items), -np.inf)
    order = np.lexsort((np.arange(500), -expected))[: min(20, np.count_nonzero(np.isfinite(expected)))]
    assert rows.tolist() == order.tolist()
    assert scores.tolist() == expected[order].tolist()


def test_memory_is_bounded() -> None:
    items = ragged(np.random.default_rng(4), [8] * 20_000, 32, np.float16)
    query = np.random.default_rng(5).normal(size=(16, 32)).astype(np.float32)
    tracemalloc.start()
    try:
        maxsim(query, items)
        best_items(query, items, 10)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 << 20  # all products together are 10 MB in float32, the tokens 20 MB


def test_half_precision_is_widened_exactly() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    widened = half_to_single(finite)
    assert widened.dtype == np.float32
    assert np.array_equal(widened.view(np.int32), finite.astype(np.float32).view(np.int32))


@pytest.mark.parametrize("shape", [(0, 4), (2, 5), (4,)])
def test_a_query_that_does_not_fit(shape: tuple[int, ...]) -> None:
    items = ragged(np.random.default_rng(6), [2, 1], 4)
    for search in (maxsim, winners, lambda query, items: best_items(query, items, 1)):
        with pytest.raises(InputError, match="query: needs"):
            search(np.zeros(shape, np.float32), items)
