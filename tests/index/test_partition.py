"""What a Partition promises: the recall asked for, never fewer than k, the same from memory maps and from threads."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.index.effort import EffortTable
from limner.index.partition import Partition
from limner.index.partition_build import build

D = 64


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def clustered(n: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = unit(random.standard_normal((60, D)))
    return unit(centres[random.choice(60, n)] + 0.9 * unit(random.standard_normal((n, D))))


def questions(vectors: np.ndarray, count: int, seed: int = 1) -> np.ndarray:
    """Vectors with noise and, as texts have beside pictures, one common offset."""
    random = np.random.default_rng(seed)
    offset = 0.6 * unit(random.standard_normal((1, D)))
    chosen = vectors[random.choice(len(vectors), count)]
    return unit(unit(chosen) + offset + 0.7 * unit(random.standard_normal(chosen.shape)))


def nearest(queries: np.ndarray, vectors: np.ndarray, k: int, allowed: np.ndarray | None = None) -> np.ndarray:
    scores = queries.astype(np.float64) @ vectors.T.astype(np.float64)
    if allowed is not None:
        scores[:, ~allowed] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :k]


def recall(found: list[tuple[np.ndarray, np.ndarray]], truth: np.ndarray) -> float:
    return float(np.mean([np.isin(rows, shortlist).mean() for rows, (shortlist, _) in zip(truth, found, strict=True)]))


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    return clustered(6000)


@pytest.fixture(scope="module")
def arrays(vectors: np.ndarray) -> Mapping[str, np.ndarray]:
    built = build([vectors[:1000], vectors[1000:1000], vectors[1000:]], "cosine")
    for array in built.values():
        array.flags.writeable = False
    return built


@pytest.fixture(scope="module")
def partition(arrays: Mapping[str, np.ndarray]) -> Partition:
    return Partition(arrays)


@pytest.mark.parametrize("k", [1, 10, 40, 200])
@pytest.mark.parametrize("asked", [0.7, 0.9, 0.95, 0.99])
def test_recall_is_what_was_asked_for(partition: Partition, vectors: np.ndarray, k: int, asked: float) -> None:
    queries = questions(vectors, 300)
    found = partition.search(queries, k, asked)
    assert recall(found, nearest(queries, vectors, k)) >= asked - 0.02
    assert np.mean([len(rows) for rows, _ in found]) < 3 * k + 60


def test_less_recall_is_less_effort(arrays: Mapping[str, np.ndarray]) -> None:
    table = EffortTable(arrays)
    efforts = [table.effort(10, asked) for asked in (0.6, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)]
    gaps = [effort.gap for effort in efforts]
    assert gaps == sorted(set(gaps))
    assert [effort.candidates for effort in efforts] == sorted(effort.candidates for effort in efforts)
    assert all(effort.shortlist <= effort.candidates for effort in efforts)


def test_effort_grows_with_k_and_with_the_filter(arrays: Mapping[str, np.ndarray]) -> None:
    table = EffortTable(arrays)
    assert table.effort(10, 0.9).gap < table.effort(100, 0.9).gap < table.effort(5000, 0.9).gap
    assert table.effort(10, 0.9).gap < table.effort(10, 0.9, share=0.1).gap < table.effort(10, 0.9, share=1e-4).gap
    assert table.effort(5000, 0.9).candidates >= 5000


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("by_place", [False, True])
def test_filters(partition: Partition, vectors: np.ndarray, share: float, by_place: bool) -> None:
    """Rows taken at random, and rows all in one direction, where the lists near a query may hold none of them."""
    random = np.random.default_rng(3)
    value = vectors[:, 0] if by_place else random.random(len(vectors))
    allowed = value <= np.sort(value)[max(1, round(share * len(vectors))) - 1]
    queries = questions(vectors, 60)
    found = partition.search(queries, 10, 0.95, allowed)
    assert all(allowed[rows].all() for rows, _ in found)
    assert all(len(rows) >= min(10, allowed.sum()) for rows, _ in found)
    assert recall(found, nearest(queries, vectors, min(10, allowed.sum()), allowed)) >= 0.93


def test_nothing_allowed(partition: Partition, vectors: np.ndarray) -> None:
    found = partition.search(vectors[:2], 5, 0.9, np.zeros(len(vectors), np.bool_))
    assert [(rows.tolist(), scores.tolist()) for rows, scores in found] == [([], []), ([], [])]


def test_everything_allowed_is_no_filter(partition: Partition, vectors: np.ndarray) -> None:
    queries = questions(vectors, 20)
    without = partition.search(queries, 10, 0.9)
    for (rows, scores), (expected, expected_scores) in zip(
        partition.search(queries, 10, 0.9, np.ones(len(vectors), np.bool_)), without, strict=True
    ):
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_array_equal(scores, expected_scores)


def test_scores_are_close_to_the_dot_products_and_descend(partition: Partition, vectors: np.ndarray) -> None:
    queries = 3 * questions(vectors, 20)
    for query, (rows, scores) in zip(queries, partition.search(queries, 10, 0.95), strict=True):
        assert rows.dtype == np.int64
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores, vectors[rows] @ query, atol=0.03)
        assert (np.diff(scores) <= 0).all()


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(
    n=st.integers(1, 300),
    d=st.integers(1, 20),
    k=st.integers(1, 400),
    distinct=st.integers(1, 300),
    zeros=st.booleans(),
    similarity=st.sampled_from(["cosine", "dot"]),
    seed=st.integers(0, 2**20),
)
def test_small_and_odd_collections(
    n: int, d: int, k: int, distinct: int, zeros: bool, similarity: str, seed: int
) -> None:
    """Fewer rows than lists would want, k beyond n, duplicates, zero vectors, any dimension, huge lengths."""
    random = np.random.default_rng(seed)
    vectors = unit(random.standard_normal((distinct, d)))[random.choice(distinct, n)]
    if similarity == "dot":
        vectors *= np.float32(10) ** random.uniform(-10, 17)
    if zeros:
        vectors[random.random(n) < 0.3] = 0
    partition = Partition(build([vectors], similarity, seed=seed))
    allowed = random.random(n) < 0.6
    queries = np.vstack([unit(random.standard_normal((2, d))), np.zeros((1, d), np.float32)])
    for mask in (None, allowed):
        eligible = np.arange(n) if mask is None else np.flatnonzero(mask)
        for rows, scores in partition.search(queries, k, 0.9, mask):
            assert len(rows) >= min(k, len(eligible))
            assert len(set(rows.tolist())) == len(rows)
            assert np.isin(rows, eligible).all()
            assert np.isfinite(scores).all()
            equal = np.diff(scores) == 0
            assert (np.diff(rows)[equal] > 0).all()


def test_a_query_of_zeros_finds_the_smallest_rows(partition: Partition, vectors: np.ndarray) -> None:
    allowed = np.arange(len(vectors)) >= 100
    for mask, first in ((None, 0), (allowed, 100)):
        ((rows, scores),) = partition.search(np.zeros((1, D), np.float32), 5, 0.9, mask)
        assert rows[:5].tolist() == list(range(first, first + 5))
        assert not scores.any()


@pytest.mark.parametrize("spread", [0.3, 1.5])
def test_dot_products_of_vectors_of_any_length(spread: float) -> None:
    random = np.random.default_rng(5)
    vectors = clustered(2500) * np.exp(random.normal(2, spread, (2500, 1))).astype(np.float32)
    partition = Partition(build([vectors], "dot"))
    queries = questions(vectors, 200)
    assert recall(partition.search(queries, 10, 0.95), nearest(queries, vectors, 10)) >= 0.93


def test_more_duplicates_than_are_asked_for() -> None:
    vectors = np.repeat(clustered(20), 100, axis=0)
    for (rows, scores), query in zip(
        Partition(build([vectors], "cosine")).search(vectors[::100], 10, 0.9), vectors[::100], strict=True
    ):
        np.testing.assert_allclose(vectors[rows[:10]] @ query, 1, atol=1e-5)
        assert len(rows) >= 10
        assert np.ptp(scores[:10]) == 0


def test_from_memory_maps(arrays: Mapping[str, np.ndarray], vectors: np.ndarray, tmp_path: Path) -> None:
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    mapped = Partition({name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in arrays})
    queries = questions(vectors, 20)
    for (rows, scores), (expected, expected_scores) in zip(
        mapped.search(queries, 10, 0.9), Partition(arrays).search(queries, 10, 0.9), strict=True
    ):
        np.testing.assert_array_equal(rows, expected)
        np.testing.assert_array_equal(scores, expected_scores)


def test_opening_copies_no_codes(arrays: Mapping[str, np.ndarray]) -> None:
    """What is written to the memory of the lists after opening is what a search reads."""
    bits = arrays["bits"].copy()
    partition = Partition(dict(arrays) | {"bits": bits})
    query = questions(clustered(50), 1)
    found = partition.search(query, 10, 0.9)
    bits[:] = 0
    assert partition.search(query, 10, 0.9)[0][0].tolist() != found[0][0].tolist()


def test_built_twice_is_the_same(vectors: np.ndarray) -> None:
    one, two = (build([vectors[:2000]], "cosine", seed=4) for _ in range(2))
    assert one.keys() == two.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, two[name], err_msg=name)


def test_blocks_do_not_matter(vectors: np.ndarray) -> None:
    whole = build([vectors[:2000]], "cosine")
    parts = build(np.array_split(vectors[:2000], 7), "cosine")
    np.testing.assert_array_equal(whole["codes"], parts["codes"])


def test_several_threads(partition: Partition, vectors: np.ndarray) -> None:
    queries = questions(vectors, 64)
    allowed = np.random.default_rng(6).random(len(vectors)) < 0.3
    jobs = [(queries[number : number + 1], mask) for number in range(64) for mask in (None, allowed)]
    expected = [partition.search(query, 10, 0.95, mask) for query, mask in jobs]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda job: partition.search(job[0], 10, 0.95, job[1]), jobs))
    for ((rows, _),), ((expected_rows, _),) in zip(found, expected, strict=True):
        np.testing.assert_array_equal(rows, expected_rows)


@pytest.mark.parametrize("asked", [-0.1, 0.0, 1.0, 1.5])
def test_a_recall_that_no_effort_gives(partition: Partition, vectors: np.ndarray, asked: float) -> None:
    with pytest.raises(InputError, match=f"recall is {asked}; it must lie between 0 and 1"):
        partition.search(vectors[:1], 10, asked)


def test_bad_input(partition: Partition, vectors: np.ndarray) -> None:
    with pytest.raises(InputError, match="k is 0"):
        partition.search(vectors[:1], 0, 0.9)
    with pytest.raises(InputError, match="at least one vector"):
        build([vectors[:0]], "cosine")
    assert partition.search(vectors[:0], 3, 0.9) == []


def test_faiss_is_loaded_by_those_who_need_it() -> None:
    code = "import sys, limner, limner.index.partition, limner.index.partition_build; sys.exit('faiss' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
