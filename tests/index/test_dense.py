"""What DenseIndex promises beyond the contract of every index: exact to the last bit, in bounded memory."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.selection import Selection
from limner.core.types import Dense, Space
from limner.index import exact
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
from limner.index.vectors import Block, Snapshot, VectorStore


def index_of(catalogue: Catalogue, d: int, similarity: str = "dot", fingerprint: str = "model") -> DenseIndex:
    folder = ArrayFolder(catalogue.path.parent / "vectors")
    return DenseIndex(VectorStore(catalogue, folder, fingerprint, Space("image", "dense", d, similarity)))


def oracle(queries: np.ndarray, vectors: np.ndarray, k: int) -> list[tuple[list[int], list[float]]]:
    """Scores computed in float64 and rounded to float32, sorted by score, then by id."""
    answers = []
    for query in queries.astype(np.float64):
        scores = (vectors * query).sum(axis=1).astype(np.float32)
        order = np.lexsort((np.arange(len(scores)), -scores))[:k]
        answers.append((order.tolist(), scores[order].tolist()))
    return answers


def lists(found: list[tuple[np.ndarray, np.ndarray]]) -> list[tuple[list[int], list[float]]]:
    return [(ids.tolist(), scores.tolist()) for ids, scores in found]


class InMemory:
    """A store of a few blocks, for inputs too many to write to disk each time."""

    def __init__(self, space: Space, blocks: list[Block]) -> None:
        self.space, self._blocks = space, blocks

    def snapshot(self) -> Snapshot:
        return Snapshot(None, tuple(self._blocks), None)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(1, 60),
    d=st.integers(1, 40),
    k=st.integers(1, 12),
    scale=st.sampled_from([1e-38, 1e-20, 1e-3, 1.0, 1e9, 1e17]),
    spread=st.sampled_from([0.0, 1e-8, 1e-7, 1e-6, 1.0]),
    cut=st.integers(0, 60),
)
def test_exact_whatever_the_numbers(seed: int, n: int, d: int, k: int, scale: float, spread: float, cut: int) -> None:
    rng = np.random.default_rng(seed)
    # Near-equal vectors with large terms that cancel: float32 alone gets their order wrong.
    vectors = ((rng.normal(size=d) + spread * rng.normal(size=(n, d))) * scale / 10).astype(np.float32)
    queries = rng.normal(size=(3, d)).astype(np.float32)
    queries[0] -= vectors[0] * (queries[0] @ vectors[0]) / max(float(vectors[0] @ vectors[0]), 1e-37)
    parts = [part for part in np.split(np.arange(n), [min(cut, n)]) if len(part)]
    space, longest = Space("image", "dense", d, "dot"), float(np.linalg.norm(vectors.astype(np.float64), axis=1).max())
    blocks = [Block(rows, {"vectors": vectors[rows]}, space, None, None, longest, False) for rows in parts]
    index = DenseIndex(InMemory(space, blocks))  # type: ignore[arg-type]
    assert lists(index.search(Dense(queries), k)) == oracle(queries, vectors, k)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_answers_do_not_depend_on_shards_or_batches(
    folder: Path, similarity: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(40, 64))
    vectors = (np.repeat(base, 25, axis=0) + rng.normal(size=(1000, 64)) * 1e-7).astype(np.float32)
    queries = Dense(rng.normal(size=(300, 64)).astype(np.float32))
    answers = []
    for name, batch in (("whole", 1000), ("parts", 77), ("pieces", 10)):
        index = index_of(Catalogue(folder / name / "catalogue.sqlite", create=True), 64, similarity)
        index.add(np.arange(500), Dense(rng.normal(size=(500, 64)).astype(np.float32)))
        for start in range(0, 1000, batch):
            index.add(np.arange(start, min(start + batch, 1000)), Dense(vectors[start : start + batch]))
        answers.append(lists(index.search(queries, 30)))
        monkeypatch.setattr(exact, "_FIRST_ROWS", 61)
        answers.append(lists(index.search(queries, 30)))
        monkeypatch.undo()
    assert all(answer == answers[0] for answer in answers)
    if similarity == "dot":
        assert answers[0] == oracle(queries.values, vectors, 30)


def test_a_filter_does_not_change_a_score(catalogue: Catalogue) -> None:
    rng = np.random.default_rng(2)
    index = index_of(catalogue, 32, "cosine")
    index.add(np.arange(2000), Dense(rng.normal(size=(2000, 32)).astype(np.float32)))
    queries = Dense(rng.normal(size=(4, 32)).astype(np.float32))
    whole = lists(index.search(queries, 2000))
    for share in (0.001, 0.1, 0.3, 0.9):
        among = np.flatnonzero(rng.random(2000) < share)
        chosen = set(among.tolist())
        fewer = lists(index.search(queries, 50, Selection(among)))
        for (ids, scores), (few, few_scores) in zip(whole, fewer, strict=True):
            pairs = [(id, score) for id, score in zip(ids, scores, strict=True) if id in chosen][:50]
            assert list(zip(few, few_scores, strict=True)) == pairs


def test_cosine_keeps_directions_only_and_once(catalogue: Catalogue) -> None:
    rng = np.random.default_rng(3)
    index = index_of(catalogue, 16, "cosine")
    vectors = (rng.normal(size=(50, 16)) * 10.0 ** rng.integers(-30, 30, size=(50, 1))).astype(np.float32)
    index.add(np.arange(50), Dense(vectors))
    [block] = index._store.snapshot().blocks
    np.testing.assert_allclose(np.linalg.norm(block.vectors, axis=1), 1, atol=1e-6)
    again = index_of(catalogue, 16, "cosine", "imported")
    again.add(block.keys, Dense(block.vectors))
    np.testing.assert_array_equal(again._store.snapshot().blocks[0].vectors, block.vectors)
    [(ids, scores)] = index.search(Dense(vectors[7:8] * 3), 1)
    assert ids.tolist() == [7]
    assert scores[0] == pytest.approx(1, abs=1e-6)


def test_a_zero_vector_has_no_direction(catalogue: Catalogue) -> None:
    index = index_of(catalogue, 4, "cosine")
    index.add(np.array([1, 2, 3]), Dense(np.array([[0, 0, 0, 0], [1, 0, 0, 0], [-1, 0, 0, 0]], np.float32)))
    one = np.eye(1, 4, dtype=np.float32)
    assert lists(index.search(Dense(np.vstack([one, 0 * one])), 3)) == [
        ([2, 1, 3], [1.0, 0.0, -1.0]),
        ([1, 2, 3], [0.0, 0.0, 0.0]),
    ]


def test_only_equal_vectors(catalogue: Catalogue) -> None:
    index = index_of(catalogue, 8)
    index.add(np.arange(5000), Dense(np.full((5000, 8), 0.1, np.float32)))
    [(ids, _)] = index.search(Dense(np.full((1, 8), 0.1, np.float32)), 10)
    assert ids.tolist() == list(range(10))


@pytest.mark.parametrize("number", [np.nan, np.inf, 1e19])
def test_numbers_that_cannot_be_scored_are_refused(catalogue: Catalogue, number: float) -> None:
    index = index_of(catalogue, 4)
    odd = Dense(np.array([[1, 2, 3, number]], np.float32))
    with pytest.raises(InputError, match="space image: a vector"):
        index.add(np.array([1]), odd)
    with pytest.raises(InputError, match="space image: a vector"):
        index.search(odd, 1)
    assert index.stats()["vectors"] == 0


@pytest.mark.parametrize("space", [Space("words", "sparse", 9, "dot"), Space("patches", "tokens", 9, "maxsim")])
def test_spaces_of_other_kinds_are_refused(catalogue: Catalogue, space: Space) -> None:
    with pytest.raises(InputError, match=f"space {space.name}: DenseIndex serves dense"):
        DenseIndex(VectorStore(catalogue, ArrayFolder("unused"), "model", space))


@pytest.mark.parametrize(("queries", "megabytes"), [(1, 8), (300, 64)])
def test_memory_does_not_grow_with_the_collection(catalogue: Catalogue, queries: int, megabytes: int) -> None:
    rng = np.random.default_rng(4)
    index = index_of(catalogue, 128)
    for start in range(0, 100_000, 25_000):
        index.add(np.arange(start, start + 25_000), Dense(rng.random((25_000, 128), np.float32)))
    index.remove(np.arange(0, 100_000, 9))
    asked = Dense(rng.random((queries, 128), np.float32))
    index.search(Dense(asked.values[:1]), 1)
    tracemalloc.start()
    index.search(asked, 10)
    index.search(asked, 10, among=Selection(np.arange(0, 100_000, 2)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert index.stats()["bytes"] > 50e6
    assert peak < megabytes * 1e6
