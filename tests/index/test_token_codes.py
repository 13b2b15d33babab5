"""TokenCodes finds what exact MaxSim finds, as often as was asked for, whatever may be found and however much."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.types import Tokens
from limner.index.maxsim import best_items
from limner.index.token_codes import TokenCodes

D = 24


@dataclass
class Collection:
    items: Tokens
    arrays: Mapping[str, np.ndarray]
    codes: TokenCodes
    queries: list[np.ndarray]


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


def built(items: Tokens, queries: list[np.ndarray]) -> Collection:
    """In two blocks, from half precision, and searched in arrays that nobody may write to."""
    items = Tokens(items.offsets, items.values.astype(np.float16))
    cut = len(items) // 3
    arrays = TokenCodes.build([items.take(slice(None, cut)), items.take(slice(cut, None))])
    for array in arrays.values():
        array.setflags(write=False)
    return Collection(items, arrays, TokenCodes(arrays), queries)


@pytest.fixture(scope="module")
def scenes() -> Collection:
    """Ragged items of 0 to 40 tokens: objects of a vocabulary and background; a query names two of an item's objects.

    The mean of an item's tokens says little of one small object.
    """
    rng = np.random.default_rng(0)
    vocabulary, background = unit(rng.normal(size=(60, D))), unit(rng.normal(size=(12, D)))
    tokens, named = [], []
    for length in rng.integers(0, 41, 2000):
        objects = rng.choice(60, 4, replace=False)
        kinds = np.concatenate([vocabulary[objects], background[rng.choice(12, 6)]])
        tokens.append(unit(kinds[rng.integers(0, 10, length)] + 0.1 * rng.normal(size=(length, D))))
        named.append(objects[:2])
    gap = 0.5 * unit(rng.normal(size=D))
    queries = [
        unit(vocabulary[rng.choice(named[rng.integers(2000)], vectors)] + gap + 0.08 * rng.normal(size=(vectors, D)))
        for vectors in rng.integers(4, 13, 60)
    ]
    return built(Tokens(np.cumsum([0, *map(len, tokens)]), np.concatenate(tokens)), queries)


@pytest.fixture(scope="module")
def views() -> Collection:
    """Items of 0 to 6 vectors each, as of several crops of a picture; a query is one vector."""
    rng = np.random.default_rng(1)
    centres = unit(rng.normal(size=(300, D)))
    offsets = np.cumsum([0, *rng.integers(0, 7, 5000)])
    values = unit(centres[rng.integers(0, 300, offsets[-1])] + 0.15 * rng.normal(size=(offsets[-1], D)))
    near = values[rng.integers(0, len(values), 80)]
    queries = unit(near + 0.1 * rng.normal(size=near.shape) + 0.4 * unit(rng.normal(size=D)))
    return built(Tokens(offsets, values), list(queries[:, None]))


@pytest.fixture(scope="module", params=["scenes", "views"])
def collection(request: pytest.FixtureRequest) -> Collection:
    return request.getfixturevalue(request.param)


def recall_of(collection: Collection, k: int, allowed: np.ndarray | None = None, recall: float = 0.95) -> float:
    shares = []
    for query in collection.queries:
        wanted, _ = best_items(query, collection.items, k, allowed)
        shares.append(np.isin(wanted, collection.codes.search(query, k, allowed, recall)[0]).mean())
    return float(np.mean(shares))


@pytest.mark.parametrize("recall", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("k", [1, 10, 50])
def test_recall_is_what_was_asked_for(collection: Collection, k: int, recall: float) -> None:
    assert recall_of(collection, k, recall=recall) >= recall - 0.03


def test_more_recall_is_more_work_and_less_than_everything(collection: Collection) -> None:
    lengths = [len(collection.codes.search(collection.queries[0], 10, recall=recall)[0]) for recall in (0.8, 0.99)]
    assert 10 <= lengths[0] <= lengths[1] < len(collection.items) / 4


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.01, 0.1, 0.5, 0.99])
def test_filters_and_deletions(collection: Collection, share: float) -> None:
    n = len(collection.items)
    allowed = np.zeros(n, np.bool_)
    allowed[np.random.default_rng(2).choice(n, max(1, int(share * n)), replace=False)] = True
    eligible = np.flatnonzero(allowed & (np.diff(collection.items.offsets) > 0))
    for query in collection.queries[:10]:
        rows, scores = collection.codes.search(query, 10, allowed)
        assert min(10, len(eligible)) <= len(rows) == len(set(rows.tolist())) == len(scores)
        assert np.isin(rows, eligible).all()
        assert np.all(np.diff(scores) <= 0)
    if len(eligible):
        assert recall_of(collection, 10, allowed) >= 0.92


def test_the_best_removed_gives_the_next(collection: Collection) -> None:
    allowed = np.ones(len(collection.items), np.bool_)
    query = collection.queries[0]
    gone = collection.codes.search(query, 20)[0]
    allowed[gone] = False
    rows, _ = collection.codes.search(query, 20, allowed)
    assert len(rows) >= 20
    assert not np.isin(rows, gone).any()


def test_nothing_allowed(collection: Collection) -> None:
    rows, scores = collection.codes.search(collection.queries[0], 5, np.zeros(len(collection.items), np.bool_))
    assert len(rows) == len(scores) == 0


def test_more_answers_than_items(collection: Collection) -> None:
    rows, _ = collection.codes.search(collection.queries[0], 10 * len(collection.items))
    assert np.sort(rows).tolist() == np.flatnonzero(np.diff(collection.items.offsets)).tolist()


def test_approximate_scores_are_near_the_exact(collection: Collection) -> None:
    query = collection.queries[1]
    wanted, exact = best_items(query, collection.items, 10)
    rows, scores = collection.codes.search(query, 10)
    found = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    errors = [abs(found[row] - score) for row, score in zip(wanted.tolist(), exact, strict=True) if row in found]
    assert np.mean(errors) < 0.1 * len(query)


def test_threads_and_repetitions_agree(collection: Collection) -> None:
    def answer(query: np.ndarray) -> tuple[list[int], list[float]]:
        rows, scores = collection.codes.search(query, 10)
        return rows.tolist(), scores.tolist()

    alone = [answer(query) for query in collection.queries]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(answer, collection.queries)) == alone


def test_a_build_gives_the_same_twice(views: Collection) -> None:
    few = views.items.take(slice(0, 500))
    first, second = TokenCodes.build([few]), TokenCodes.build([few.take(slice(0, 100)), few.take(slice(100, None))])
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_at_most_forty_bytes_a_token_where_items_have_many() -> None:
    rng = np.random.default_rng(3)
    items = Tokens(np.arange(301) * 32, rng.normal(size=(9600, 128)).astype(np.float16))
    arrays = TokenCodes.build([items])
    growing = [array.nbytes for name, array in arrays.items() if name not in ("centroids", "code_words")]
    assert sum(growing) / 9600 <= 40


@settings(max_examples=15, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**32),
    lengths=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    d=st.integers(1, 9),
    vectors=st.integers(1, 20),
    distinct=st.integers(1, 5),
)
def test_small_and_odd_collections_are_answered_in_full(
    seed: int, lengths: list[int], d: int, vectors: int, distinct: int
) -> None:
    rng = np.random.default_rng(seed)
    offsets = np.cumsum([0, *lengths]).astype(np.int64)
    # Many tokens are the same, one of them zero.
    values = np.vstack([np.zeros(d), rng.normal(size=(distinct, d))])[rng.integers(0, distinct + 1, offsets[-1])]
    items = Tokens(offsets, values.astype(np.float32))
    query = rng.normal(size=(vectors, d)).astype(np.float32)
    if not offsets[-1]:
        with pytest.raises(InputError, match="no tokens"):
            TokenCodes.build([items])
        return
    rows, scores = TokenCodes(TokenCodes.build([items])).search(query, 30)
    assert np.sort(rows).tolist() == np.flatnonzero(lengths).tolist()
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("count", "recall", "shape", "message"),
    [
        (0, 0.95, (1, D), "count is 0"),
        (1, 0.0, (1, D), "recall is 0"),
        (1, 0.999, (1, D), "search exactly"),
        (1, 0.95, (0, D), "query: needs"),
        (1, 0.95, (1, D + 1), "query: needs"),
    ],
)
def test_what_cannot_be_asked(
    views: Collection, count: int, recall: float, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        views.codes.search(np.zeros(shape, np.float32), count, recall=recall)
