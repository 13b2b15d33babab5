"""A sketch never loses a row, whatever the numbers, and lets few others pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vector_blocks import blocks_of

from limner.index import products
from limner.index.exact import Best, scan
from limner.index.sketch import Question, Sketch

pytestmark = pytest.mark.skipif(products.compiled is None, reason="limner was installed without a C compiler")


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 300),
    d=st.sampled_from([1, 3, 31, 64, 100, 700]),
    sizes=st.tuples(*[st.sampled_from([0.0, 1e-42, 1e-38, 1e-20, 1e-3, 1.0, 1e9, 1e16])] * 3),
)
def test_no_row_is_lost(seed: int, n: int, d: int, sizes: tuple[float, float, float]) -> None:
    rng = np.random.default_rng(seed)
    vectors = (rng.normal(size=(n, d)) * rng.choice(sizes[:2], (n, 1))).astype(np.float32)
    query = (rng.normal(size=d) * sizes[2]).astype(np.float32).astype(np.float64)
    scores = (vectors * query).sum(axis=1).astype(np.float32)
    sketch, asked = Sketch.of(vectors), Question.of(query)
    for floor in (scores.max(), np.median(scores)):
        rows = sketch.near(asked, float(floor))
        assert np.isin(np.flatnonzero(scores >= floor), rows).all()
        assert (np.diff(rows) > 0).all()


def test_few_others_pass() -> None:
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(5000, 64)).astype(np.float32)
    query = rng.normal(size=64)
    floor = float(np.sort(vectors @ query)[-10])
    assert 10 <= len(Sketch.of(vectors).near(Question.of(query), floor)) < 40


@pytest.mark.parametrize("count", [1, 3])
def test_sifted_as_scanned(count: int) -> None:
    rng = np.random.default_rng(2)
    vectors = (rng.normal(size=(900, 40)) + 0.1).astype(np.float32)
    vectors[300:600] = vectors[:300]
    queries = rng.normal(size=(count, 40)).astype(np.float32)
    blocks = blocks_of(vectors, np.arange(900), 200, rng.random(900) < 0.9)
    scanned, sifted = Best(queries, 12), Best(queries, 12)
    for block in blocks:
        sifted.sift([block], [Sketch.of(block.vectors)], None)
        assert sifted.is_full()
    scan(scanned, blocks, None)
    for (ids, scores), (same_ids, same_scores) in zip(sifted.take(), scanned.take(), strict=True):
        assert ids.tolist() == same_ids.tolist()
        assert scores.tolist() == same_scores.tolist()
