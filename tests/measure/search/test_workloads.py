"""The collections that searches are measured on: what they promise, and that the stored answers are the true ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from limner.core.types import Dense, Representation, Sparse, Tokens
from limner.measure.search import workload as workload_module
from limner.measure.search.exact import best, scores_of
from limner.measure.search.npy import NpyWriter
from limner.measure.search.tokens import ObjectTokens, TokenSets
from limner.measure.search.vectors import ClusteredVectors
from limner.measure.search.words import documents, picture_words
from limner.measure.search.workload import SELECTIVITIES, Opened, Workload, filter_mask, open_workload

MAKERS: dict[str, Callable[[int, int], Workload]] = {
    "vectors": lambda n, seed: ClusteredVectors(n, seed, query_count=60, size=32),
    "documents": documents,
    "picture words": picture_words,
    "token sets": lambda n, seed: TokenSets(n, seed, query_count=20, size=16),
    "object tokens": lambda n, seed: ObjectTokens(n, seed, query_count=20, size=16, kinds=40),
}


def parts(items: Representation) -> list[np.ndarray]:
    if isinstance(items, Dense):
        return [items.values]
    if isinstance(items, Sparse):
        return [items.indptr, items.indices, items.values]
    return [items.offsets, items.values]


def equal(one: Representation, other: Representation, tolerance: float = 0) -> bool:
    return all(np.allclose(a, b, 0, tolerance) for a, b in zip(parts(one), parts(other), strict=True))


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[[int, int], Workload]:
    return MAKERS[request.param]


def test_the_files_hold_the_blocks_one_after_the_other(
    make: Callable[[int, int], Workload], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workload_module, "BLOCK_ROWS", 300)
    workload = make(1000, 5)
    blocks = list(workload.blocks())
    assert [len(block) for block in blocks] == [300, 300, 300, 100]
    opened = open_workload(workload, tmp_path)
    for number, block in enumerate(blocks):
        # Tokens are kept in half precision.
        assert equal(opened.items.take(slice(300 * number, 300 * number + len(block))), block, 1e-3)
    assert len(opened.items) == opened.n == 1000
    assert len(opened.later) == 1000


def test_a_seed_draws_the_same_and_another_draws_others(make: Callable[[int, int], Workload]) -> None:
    first, again, other = make(800, 1).block(0, 500), make(800, 1).block(0, 500), make(800, 2).block(0, 500)
    assert equal(first, again)
    assert not all(np.array_equal(a, b) for a, b in zip(parts(first), parts(other), strict=True))
    later = next(make(800, 1).more(500))
    assert not all(np.array_equal(a, b) for a, b in zip(parts(first), parts(later), strict=True))


def test_true_answers_are_those_of_brute_force(make: Callable[[int, int], Workload], tmp_path: Path) -> None:
    opened = open_workload(make(700, 3), tmp_path)
    for name in opened.query_sets:
        scores = scores_of(opened.items.take(slice(None)), opened.queries(name))
        for selectivity in (None, *SELECTIVITIES):
            truth = opened.truth(name, selectivity)
            allowed = np.ones(700, bool) if selectivity is None else opened.allowed(selectivity)
            for row, found in zip(scores, truth, strict=False):
                ranked = np.where(allowed, row, -np.inf)
                order = np.lexsort((np.arange(700), -ranked))[:100]
                expected = order[ranked[order] > -np.inf]
                assert (found[len(expected) :] == -1).all()
                assert np.allclose(ranked[found[: len(expected)]], ranked[expected], 1e-5)


def test_scores_are_dot_products_and_sums_of_maxima() -> None:
    rng = np.random.default_rng(0)
    one, two = rng.standard_normal((4, 3), np.float32), rng.standard_normal((3, 3), np.float32)
    assert np.allclose(scores_of(Dense(one), Dense(two)), two @ one.T, atol=1e-6)
    items, queries = Tokens(np.array([0, 1, 4]), one), Tokens(np.array([0, 3]), two)
    expected = [(two @ one[:1].T).max(1).sum(), (two @ one[1:].T).max(1).sum()]
    assert np.allclose(scores_of(items, queries), [expected], atol=1e-5)
    words = Sparse(np.array([0, 2, 3]), np.array([1, 5, 2]), np.array([1, 2, 3], np.float32), 8)
    asked = Sparse(np.array([0, 2]), np.array([5, 7]), np.array([0.5, 9], np.float32), 8)
    assert scores_of(words, asked).tolist() == [[1.0, -np.inf]]


def test_equal_scores_go_to_the_smaller_row() -> None:
    items = Dense(np.array([[1.0], [2.0], [2.0], [2.0], [0.0]], np.float32))
    assert best(items, Dense(np.ones((1, 1), np.float32)), 2).tolist() == [[1, 2]]
    assert best(items, Dense(np.ones((1, 1), np.float32)), 7).tolist() == [[1, 2, 3, 0, 4, -1, -1]]


def test_vectors_have_length_one_unequal_clusters_few_strong_directions_and_a_gap(tmp_path: Path) -> None:
    workload = ClusteredVectors(20_000, query_count=200, size=64)
    opened = open_workload(workload, tmp_path)
    items, queries = opened.items, opened.queries("cross-modal")
    assert isinstance(items, Dense)
    assert isinstance(queries, Dense)
    for vectors in (items.values, queries.values):
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    variances = np.sort(np.linalg.eigvalsh(np.cov(items.values[:5000].T)))[::-1]
    assert variances[:6].sum() > 3 * variances[-32:].sum()
    # The gap: queries lie nearer to one another than to the items, and apart along one direction.
    between = queries.values[:100] @ queries.values[100:].T
    assert between.mean() > (queries.values @ items.values[:1000].T).mean() + 0.1
    # Still the item that a query was made of is mostly among the first.
    assert (queries.values * items.values[opened.truth("cross-modal")[:, 0]]).sum(axis=1).mean() > 0.5
    sizes = np.sort(np.diff(workload._clusters.until))[::-1]
    assert sizes[0] > 8 * np.median(sizes)


def test_words_of_documents_follow_zipf_and_their_weights_are_log_normal() -> None:
    (words,) = documents(3000).blocks()
    assert isinstance(words, Sparse)
    lengths = np.diff(words.indptr)
    assert 115 < lengths.mean() < 123
    for row in range(0, 3000, 100):
        own = words.indices[words.indptr[row] : words.indptr[row + 1]]
        assert (np.diff(own) > 0).all()
    counts = np.sort(np.bincount(words.indices, minlength=30_522))[::-1]
    ranks = np.arange(50, 3000)
    slope = np.polyfit(np.log(ranks), np.log(counts[ranks]), 1)[0]
    assert -1.4 < slope < -0.5
    assert words.values.min() > 0
    assert abs(np.log(words.values).mean() - np.log(np.median(words.values))) < 0.15


def test_queries_of_pictures_are_bare_words_that_occur(tmp_path: Path) -> None:
    opened = open_workload(picture_words(2000), tmp_path)
    (name,) = opened.query_sets
    queries, items = opened.queries(name), opened.items
    assert isinstance(queries, Sparse)
    assert isinstance(items, Sparse)
    assert set(np.diff(queries.indptr)) <= set(range(5, 11))
    assert (queries.values == 1).all()
    assert len(np.unique(items.indices)) <= 3000
    assert 19 < np.diff(items.indptr).mean() < 21


def test_objects_are_found_by_tokens_and_not_by_means(tmp_path: Path) -> None:
    opened = open_workload(ObjectTokens(2000, query_count=50), tmp_path)
    items, queries = opened.items, opened.queries("2 to 3 objects")
    assert isinstance(items, Tokens)
    assert isinstance(queries, Tokens)
    assert np.allclose(np.linalg.norm(items.values[:500].astype(np.float32), axis=1), 1, atol=2e-3)
    means = Dense(items.values.astype(np.float32).reshape(2000, 32, -1).mean(axis=1))
    asked = Dense(np.add.reduceat(queries.values.astype(np.float32), queries.offsets[:-1]))
    pooled, truth = best(means, asked, 10), opened.truth("2 to 3 objects")[:, :10]
    shared = np.mean([np.isin(one, other).mean() for one, other in zip(truth, pooled, strict=True)])
    assert shared < 0.5


def test_what_lies_in_the_cache_is_not_made_again(tmp_path: Path) -> None:
    first = open_workload(picture_words(1000), tmp_path)
    stamp = (first.folder / "items.npy").stat().st_mtime_ns
    again = open_workload(picture_words(1000), tmp_path)
    assert again.folder == first.folder
    assert (again.folder / "items.npy").stat().st_mtime_ns == stamp
    assert open_workload(picture_words(1000, seed=1), tmp_path).folder != first.folder
    assert Opened(first.folder).name == "picture words"


@pytest.mark.parametrize("selectivity", SELECTIVITIES)
def test_a_filter_lets_its_share_through(selectivity: float) -> None:
    mask = filter_mask(5000, selectivity, 0)
    assert mask.sum() == max(1, round(5000 * selectivity))
    assert (mask == filter_mask(5000, selectivity, 0)).all()


def test_a_growing_file_is_an_ordinary_npy_file(tmp_path: Path) -> None:
    with NpyWriter(tmp_path / "a.npy", np.float16, (3,)) as file:
        for start in range(0, 50, 20):
            file.append(np.arange(3 * start, 3 * min(start + 20, 50)).reshape(-1, 3))
    assert (np.load(tmp_path / "a.npy") == np.arange(150).reshape(50, 3)).all()
    assert np.load(tmp_path / "a.npy").dtype == np.float16
