"""Products find every pair that reaches its floor, compiled or not, whatever the numbers; exact.py makes them exact."""

from __future__ import annotations

import platform

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from vector_blocks import blocks_of

from limner.core.selection import Selection
from limner.index import exact, products
from limner.index.exact import Best, scan
from limner.index.vectors import Block

KINDS = ["compiled", "compiled, many threads", "numpy"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "numpy":
        monkeypatch.setattr(products, "compiled", None)
    elif products.compiled is None:
        pytest.skip("limner was installed without a C compiler")
    monkeypatch.setattr(products, "cpu_count", lambda: 3 if "threads" in request.param else 1)
    return str(request.param)


def oracle(queries: np.ndarray, vectors: np.ndarray, ids: np.ndarray, k: int) -> list[tuple[list[int], list[float]]]:
    """Scores added up in float64 and rounded to float32, by score, then by id."""
    answers = []
    for query in queries.astype(np.float64):
        scores = (vectors * query).sum(axis=1).astype(np.float32)
        order = np.lexsort((ids, -scores))[:k]
        answers.append((ids[order].tolist(), scores[order].tolist()))
    return answers


def answers(queries: np.ndarray, blocks: list[Block], k: int, among: Selection | None = None) -> list:
    best = Best(queries, k)
    scan(best, blocks, among)
    return [(ids.tolist(), scores.tolist()) for ids, scores in best.take()]


@settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_as_by_brute_force(kind: str, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    n, d = data.draw(st.integers(1, 400)), data.draw(st.integers(1, 140))
    k, count = data.draw(st.integers(1, 30)), data.draw(st.sampled_from([1, 2, 8, 9, 31, 32, 33, 70]))
    sizes = st.sampled_from([0.0, 1e-42, 1e-38, 1e-20, 1e-3, 1.0, 1e9, 1e16])
    # Few distinct vectors, nearly equal ones, and lengths of all kinds.
    vectors = rng.normal(size=(max(1, n // 3), d))[rng.integers(0, max(1, n // 3), n)]
    vectors += data.draw(st.sampled_from([0.0, 1e-7, 1e-2])) * rng.normal(size=(n, d))
    vectors = (vectors * rng.choice([data.draw(sizes), data.draw(sizes)], (n, 1))).astype(np.float32)
    queries = rng.normal(size=(count, d)) * rng.choice([data.draw(sizes), data.draw(sizes)], (count, 1))
    queries = queries.astype(np.float32)
    ids = np.sort(rng.permutation(3 * n)[:n])
    live = rng.random(n) < 0.8 if data.draw(st.booleans()) else None
    chosen = data.draw(st.sampled_from([None, 0.02, 0.5, 0.98]))
    among = None if chosen is None else Selection(ids[rng.random(n) < chosen])
    can = np.ones(n, bool) if live is None else live
    can = can if among is None else can & np.isin(ids, among.ids)
    blocks = blocks_of(vectors, ids, data.draw(st.integers(0, n)), live)
    assert answers(queries, blocks, k, among) == oracle(queries, vectors[can], ids[can], k)


@pytest.mark.parametrize("count", [1, 40])
def test_more_candidates_than_there_is_room_for(kind: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every row is better than all before it."""
    monkeypatch.setattr(products, "_FOUND", 500)
    monkeypatch.setattr(exact, "_FIRST_ROWS", 300)
    rng = np.random.default_rng(1)
    vectors = (np.linspace(0.1, 1, 3000)[:, None] * np.ones(24)).astype(np.float32)
    queries = rng.random((count, 24), np.float32)
    ids = np.arange(3000)
    assert answers(queries, blocks_of(vectors, ids, 1700), 7) == oracle(queries, vectors, ids, 7)


def test_rounding_is_within_its_bound() -> None:
    """Numbers that all lie half-way between two of bfloat16 are the worst there are."""
    rng = np.random.default_rng(2)
    kept = (rng.integers(0x3F80, 0x3FFF, (200, 96)).astype(np.uint32) << 16) + 0x8000
    vectors = kept.view(np.float32).copy()
    queries = vectors[:50] * np.float32(1e-3)
    exactly = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    norm = float(np.linalg.norm(vectors.astype(np.float64), axis=1).max())
    cut = [(side.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32).astype(float) for side in (queries, vectors)]
    off = np.abs(cut[0] @ cut[1].T - exactly).max(axis=1)
    slack = products.rounding(queries, norm)
    assert (off <= slack).all()
    assert (slack < 4 * off).all(), "the bound is not idle"


@pytest.mark.skipif(products.compiled is None, reason="limner was installed without a C compiler")
class TestCompiled:
    def test_what_does_not_fit_is_refused(self) -> None:
        vectors, queries, floors = np.zeros((5, 4), np.float32), np.zeros((2, 4), np.float32), np.zeros(2, np.float32)
        found = np.empty(30, np.int32), np.empty(30, np.int64), np.empty(30, np.float32)
        good = [vectors, None, 0, 5, queries, floors, None, *found]
        assert products.compiled is not None
        assert products.compiled.scan(*good) == (5, 10)
        for place, wrong in [
            (0, vectors.ravel()[:-1].copy()),
            (1, np.array([0, 5, 1, 1, 1])),
            (1, np.array([0, -1, 1, 1, 1])),
            (1, np.array([0, 1])),
            (2, -1),
            (2, 6),
            (3, 6),
            (4, queries[:, :3].copy()),
            (4, queries[:0]),
            (5, floors[:0]),
            (6, floors[:1]),
            (8, found[1][:5].copy()),
            (9, found[2][:5].copy()),
        ]:
            bad = list(good)
            bad[place] = wrong
            with pytest.raises(ValueError, match="do not fit"):
                products.compiled.scan(*bad)

    def test_codes_that_do_not_fit_are_refused(self) -> None:
        assert products.compiled is not None
        codes, scales, query = np.ones((5, 4), np.int8), np.ones(5, np.float32), np.full(4, 9, np.int16)
        good = [codes, scales, query, 36.0, np.empty(5, np.int64)]
        assert products.compiled.near(*good) == 5
        high = np.full(2**16, 2**15 - 1, np.int16)
        for place, wrong in [
            (0, codes[:4].copy()),
            (1, scales[:4].copy()),
            (2, query[:3].copy()),
            (4, np.empty(4, np.int64)),
        ]:
            bad = list(good)
            bad[place] = wrong
            with pytest.raises(ValueError, match="do not fit"):
                products.compiled.near(*bad)
        with pytest.raises(ValueError, match="do not fit"):
            products.compiled.near(np.ones((1, 2**16), np.int8), scales[:1].copy(), high, 0.0, np.empty(1, np.int64))

    @pytest.mark.skipif(platform.system() != "Linux", reason="reads /proc")
    def test_it_rounds_where_the_processor_can(self) -> None:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            flags = file.read()
        assert products.compiled is not None
        assert bool(products.compiled.CAN_ROUND) == ("avx512_bf16" in flags)
