"""What Postings promises: brute force over the impacts to the last bit, compiled or not, whatever the arrays hold."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import CollectionError, InputError
from limner.core.types import Sparse
from limner.index import posting_kernel
from limner.index.ordering import cluster
from limner.index.posting_lists import BLOCK, decode, encode, list_bytes
from limner.index.postings import Postings

CEILING = 2.0
KINDS = ["compiled", "numpy"]


@contextlib.contextmanager
def using(kind: str) -> Iterator[None]:
    """The compiled kernel, or the numpy one in its place."""
    compiled = posting_kernel.compiled
    if kind == "compiled" and compiled is None:
        pytest.skip("limner was installed without its C extension")
    posting_kernel.compiled = compiled if kind == "compiled" else None
    try:
        yield
    finally:
        posting_kernel.compiled = compiled


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Iterator[str]:
    with using(request.param):
        yield request.param


def documents(rng: np.random.Generator, n: int, vocabulary: np.ndarray, mean: float) -> Sparse:
    """Documents of about `mean` terms, frequent ones first in the vocabulary; some empty, some weights 0."""
    counts = np.minimum(rng.poisson(mean, n), len(vocabulary))
    chance = 1 / np.arange(1, len(vocabulary) + 1)
    rows = [rng.choice(vocabulary, c, replace=False, p=chance / chance.sum()) for c in counts]
    indices = np.concatenate([np.empty(0, np.int64), *rows])
    values = np.where(rng.random(len(indices)) < 0.05, 0, rng.gamma(2, 0.4, len(indices))).astype(np.float32)
    return Sparse(np.concatenate([[0], np.cumsum(counts)]), indices, values, int(vocabulary.max(initial=0)) + 1)


class Oracle:
    """Brute force with a scipy matrix of the impacts."""

    def __init__(self, docs: Sparse, vocabulary: np.ndarray) -> None:
        self.vocabulary = np.sort(vocabulary)
        impacts = np.clip(np.rint(docs.values * np.float32(255 / CEILING)), 1, 255) * (docs.values > 0)
        columns = np.searchsorted(self.vocabulary, docs.indices)
        shape = (len(docs), len(vocabulary))
        self.matrix = scipy.sparse.csr_array((impacts.astype(np.int64), columns, docs.indptr), shape).tocsc()

    def parts(self, terms: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, float]:
        """(t, n) products of integers, and what one is worth."""
        exact = weights.astype(np.float64)
        scale = min(65535 / np.abs(exact).max(), (2**30 // 255 - 2 * len(terms)) / np.abs(exact).sum())
        rounded = np.rint(exact * scale)
        rounded = np.where(rounded == 0, np.sign(exact), rounded).astype(np.int64)
        parts = np.zeros((len(terms), self.matrix.shape[0]), np.int64)
        for i, term in enumerate(terms):
            at = np.searchsorted(self.vocabulary, term)
            if at < len(self.vocabulary) and self.vocabulary[at] == term:
                parts[i] = rounded[i] * self.matrix[:, [at]].toarray()[:, 0]
        return parts, CEILING / 255 / scale

    def search(
        self, terms: np.ndarray, weights: np.ndarray, k: int, allowed: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        parts, unit = self.parts(terms, weights)
        eligible = np.any(parts > 0, axis=0)
        if allowed is not None:
            eligible &= allowed
        rows, scores = np.flatnonzero(eligible), parts.sum(axis=0)[eligible]
        order = np.lexsort((rows, -scores))[:k]
        return rows[order], (scores[order] * unit).astype(np.float32)


def check(
    postings: Postings, oracle: Oracle, terms: np.ndarray, weights: np.ndarray, k: int, allowed: np.ndarray | None
) -> None:
    rows, scores = postings.search(terms, weights, k, allowed)
    expected_rows, expected_scores = oracle.search(terms, weights, k, allowed)
    assert rows.dtype == np.int64
    assert scores.dtype == np.float32
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)
    np.testing.assert_array_equal(postings.score(terms, weights, rows), scores)


@settings(max_examples=120, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**32),
    n=st.integers(0, 90),
    terms=st.integers(1, 40),
    mean=st.floats(0, 12),
    t=st.integers(1, 8),
    k=st.integers(1, 100),
    share=st.sampled_from([None, 0.0, 0.02, 0.4, 0.9, 1.0]),
    negative=st.booleans(),
    hashed=st.booleans(),
    tied=st.booleans(),
)
def test_equals_brute_force(
    seed: int,
    n: int,
    terms: int,
    mean: float,
    t: int,
    k: int,
    share: float | None,
    negative: bool,
    hashed: bool,
    tied: bool,
) -> None:
    rng = np.random.default_rng(seed)
    vocabulary = rng.choice(2**32 if hashed else 4 * terms, terms, replace=False)
    docs = documents(rng, n, vocabulary, mean)
    if tied:
        docs = Sparse(docs.indptr, docs.indices, np.ones_like(docs.values), docs.vocabulary_size)
    oracle, postings = Oracle(docs, vocabulary), Postings(Postings.build(docs, CEILING))
    query = np.append(rng.choice(vocabulary, min(t, terms), replace=False), 2**40 + 1)  # one nobody has
    weights = np.ones(len(query), np.float32) if tied else rng.gamma(1, 1, len(query)).astype(np.float32) + 1e-6
    if negative:
        weights[rng.random(len(query)) < 0.4] *= -1
    allowed = None if share is None else rng.random(n) < share
    for kind in KINDS:
        with using(kind):
            check(postings, oracle, query, weights, k, allowed)
            parts, unit = oracle.parts(query, weights)
            rows = rng.integers(0, n, 5) if n else np.empty(0, np.int64)
            np.testing.assert_array_equal(
                postings.parts(query, weights, rows), (parts[:, rows] * unit).astype(np.float32)
            )
    np.testing.assert_array_equal(postings.frequency(query), [np.count_nonzero(parts[i]) for i in range(len(query))])


@pytest.fixture(scope="module")
def many() -> tuple[Postings, Oracle, np.ndarray]:
    """Three blocks of documents, the last one short; terms in nearly all of them and in one."""
    rng = np.random.default_rng(5)
    vocabulary = rng.choice(2**32, 900, replace=False)
    docs = documents(rng, 2 * BLOCK + 700, vocabulary, 14)
    return Postings(Postings.build(docs, CEILING)), Oracle(docs, vocabulary), vocabulary


@pytest.mark.parametrize("share", [None, 1e-4, 0.001, 0.01, 0.1, 0.3, 0.6, 0.99])
@pytest.mark.parametrize("k", [1, 10, 300])
def test_blocks_at_every_selectivity(
    kind: str, many: tuple[Postings, Oracle, np.ndarray], k: int, share: float | None
) -> None:
    postings, oracle, vocabulary = many
    rng = np.random.default_rng(k)
    allowed = None if share is None else rng.random(len(postings)) < share
    for t in (1, 3, 9, 30):
        # Early words are frequent: pruning, bitmaps and lists with low bits all occur.
        terms = vocabulary[np.unique((rng.random(t) ** 3 * len(vocabulary)).astype(int))]
        weights = rng.gamma(1.5, 1, len(terms)).astype(np.float32) + 0.01
        check(postings, oracle, terms, weights, k, allowed)
        weights[rng.random(len(terms)) < 0.3] *= -1
        if np.any(weights > 0):
            check(postings, oracle, terms, weights, k, allowed)
    check(postings, oracle, vocabulary[:200], np.ones(200, np.float32), k, allowed)


def test_equal_scores_go_by_row(kind: str) -> None:
    n = BLOCK + 50
    docs = Sparse(np.arange(n + 1), np.zeros(n, np.int64), np.ones(n, np.float32), 1)
    rows, scores = Postings(Postings.build(docs, CEILING)).search(np.array([0]), np.ones(1, np.float32), 7)
    assert rows.tolist() == list(range(7))
    assert len(set(scores.tolist())) == 1


def test_only_a_positive_word_makes_an_answer(kind: str) -> None:
    docs = Sparse(np.array([0, 1, 3, 4]), np.array([4, 4, 9, 9]), np.array([1, 1, 2, 1], np.float32), 10)
    postings = Postings(Postings.build(docs, CEILING))
    rows, scores = postings.search(np.array([4, 9]), np.array([1, -3], np.float32), 3)
    assert rows.tolist() == [0, 1]
    assert scores[0] > 0 > scores[1]
    assert postings.search(np.array([9]), np.array([-1], np.float32), 3)[0].tolist() == []
    assert postings.search(np.array([], np.int64), np.array([], np.float32), 3)[0].tolist() == []


def test_scores_are_near_the_unquantised_product(many: tuple[Postings, Oracle, np.ndarray]) -> None:
    docs = Sparse(np.array([0, 2]), np.array([1, 2]), np.array([0.5, 1.25], np.float32), 3)
    score = Postings(Postings.build(docs, CEILING)).score(
        np.array([1, 2]), np.array([2, 0.5], np.float32), np.array([0])
    )
    assert score[0] == pytest.approx(2 * 0.5 + 0.5 * 1.25, abs=2.5 * CEILING / 255 / 2)


@pytest.mark.parametrize("count", [1, 2, 17, 63, 64, 65, 500, 1000, 1170, 1300, 4000, BLOCK])
@pytest.mark.parametrize("maximum", [1, 2, 3, 128, 129, 255])
def test_lists_are_read_as_written(count: int, maximum: int) -> None:
    rng = np.random.default_rng(count)
    ids = np.sort(rng.choice(BLOCK, count, replace=False))
    impacts = rng.integers(1, maximum + 1, count)
    data = encode(ids, impacts, np.array([count]), np.array([maximum]))
    assert len(data) == list_bytes(np.array([count]), np.array([maximum])).sum()
    owner, found, read = decode(data, np.array([count]), np.array([maximum]))
    assert not owner.any()
    np.testing.assert_array_equal(found, ids)
    np.testing.assert_array_equal(read, impacts)


def test_like_documents_come_together() -> None:
    rng = np.random.default_rng(2)
    topic = rng.permutation(np.repeat(np.arange(8), 100))
    terms = (topic[:, None] * 30 + rng.integers(0, 30, (800, 12))).astype(np.int32)
    order = cluster(terms, 240, 100)
    np.testing.assert_array_equal(np.sort(order), np.arange(800))
    purity = [np.bincount(topic[order[start : start + 100]]).max() for start in range(0, 800, 100)]
    assert np.mean(purity) > 80  # by chance about 20
    assert all(np.all(np.diff(order[start : start + 100]) > 0) for start in range(0, 800, 100))


def test_rows_of_every_page_are_found(kind: str) -> None:
    n = (1 << 16) + 3 * BLOCK
    rng = np.random.default_rng(0)
    docs = Sparse(np.arange(n + 1), rng.integers(0, 40, n), np.ones(n, np.float32), 40)
    postings = Postings(Postings.build(docs, CEILING))
    wanted = np.flatnonzero(docs.indices == 7)
    rows, _ = postings.search(np.array([7]), np.ones(1, np.float32), n)
    np.testing.assert_array_equal(rows, wanted)
    assert np.all(postings.score(np.array([7]), np.ones(1, np.float32), wanted) > 0)


def test_threads_share_one_index(kind: str, many: tuple[Postings, Oracle, np.ndarray]) -> None:
    postings, _, vocabulary = many
    queries = [vocabulary[i : i + 6] for i in range(24)]
    weights = np.ones(6, np.float32)
    alone = [postings.search(terms, weights, 10)[0].tolist() for terms in queries]
    with ThreadPoolExecutor(4) as pool:
        assert [
            rows.tolist() for rows, _ in pool.map(lambda terms: postings.search(terms, weights, 10), queries)
        ] == alone


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"indices": np.array([3, 3])}, "document 0 has the term 3 twice"),
        ({"indices": np.array([3, -1])}, "from 0 to 2"),
        ({"indices": np.array([3, 2**41])}, "from 0 to 2"),
    ],
)
def test_unusable_documents_are_named(change: dict[str, np.ndarray], message: str) -> None:
    arrays = {"indptr": np.array([0, 2]), "indices": np.array([1, 2]), "values": np.ones(2, np.float32)} | change
    with pytest.raises(InputError, match=message):
        Postings.build(Sparse(**arrays, vocabulary_size=10), CEILING)


def test_unusable_arguments_are_named(many: tuple[Postings, Oracle, np.ndarray]) -> None:
    postings, _, _ = many
    terms, weights = np.array([1]), np.ones(1, np.float32)
    with pytest.raises(InputError, match="ceiling"):
        Postings.build(Sparse(np.array([0]), np.empty(0, np.int64), np.empty(0, np.float32), 1), 0.0)
    with pytest.raises(InputError, match="k is 0"):
        postings.search(terms, weights, 0)
    with pytest.raises(InputError, match="allowed"):
        postings.search(terms, weights, 1, np.ones(3, np.bool_))
    with pytest.raises(InputError, match="finite"):
        postings.search(terms, np.array([np.nan], np.float32), 1)
    with pytest.raises(InputError, match="rows"):
        postings.score(terms, weights, np.array([len(postings)]))


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(seed=st.integers(0, 2**32), changes=st.integers(1, 40), cut=st.booleans())
def test_damaged_arrays_do_no_harm(seed: int, changes: int, cut: bool) -> None:
    rng = np.random.default_rng(seed)
    arrays = {name: array.copy() for name, array in _sound().items()}
    victims = [name for name, array in arrays.items() if array.size and name != "ceiling"]
    name = victims[rng.integers(len(victims))]
    if cut:
        arrays[name] = arrays[name][: rng.integers(len(arrays[name]))]
    else:
        raw = arrays[name].reshape(-1).view(np.uint8)
        raw[rng.integers(0, len(raw), changes)] = rng.integers(0, 256, changes)
    allowed = rng.random(len(arrays["rows"])) < rng.random()
    for kind in KINDS:
        with using(kind), contextlib.suppress(CollectionError, InputError):
            postings = Postings(arrays)
            for terms in (np.arange(4), np.arange(30)):
                weights = np.where(np.arange(len(terms)) % 5 == 4, -1, 1).astype(np.float32)
                postings.search(terms, weights, 10)
                postings.search(terms, weights, 10, allowed)
                postings.parts(terms, weights, np.arange(0, len(postings), 50))


def _sound() -> dict[str, np.ndarray]:
    if not _SOUND:
        _SOUND.update(Postings.build(documents(np.random.default_rng(1), 2500 + BLOCK, np.arange(60), 7), CEILING))
    return _SOUND


_SOUND: dict[str, np.ndarray] = {}
