"""What every Index must do. A new kind of index adds one Case and nothing else."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from _pytest.mark import ParameterSet
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from servers import SERVERS, connected

from limner.core.errors import InputError
from limner.core.protocols import Index
from limner.core.selection import Selection
from limner.core.types import Dense, Representation, Space, Sparse, Tokens
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
from limner.index.lexical import LexicalIndex
from limner.index.multivector import MultiVectorIndex
from limner.index.remote import RemoteIndex
from limner.index.stored import StoredIndex
from limner.index.vectors import VectorStore

TOLERANCE = 1e-5
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""A folder where waiting for the disk takes no time."""


@dataclass(frozen=True)
class Case:
    """One kind of index."""

    name: str
    open: Callable[[Path], Index]
    """The index that stands in the folder, or a new one."""
    draw: Callable[[np.random.Generator, int], Representation]
    """n things of the index's space, some of them equal."""
    score: Callable[[Representation, Representation], np.ndarray]
    """Queries (q) and items (n) -> exact scores (q, n), by the plainest code there is; -inf: no answer."""
    wrong: Representation
    """A representation that this index cannot take."""
    mark: pytest.MarkDecorator | None = None
    """What the case needs."""


class Refreshing:
    """An index whose structure is built after every second change, so that there are always rows beside it."""

    def __init__(self, index: StoredIndex[Any]) -> None:
        self.index, self.changes = index, 0
        self.space, self.search, self.stats = index.space, index.search, index.stats

    def add(self, ids: np.ndarray, vectors: Representation) -> None:
        self.index.add(ids, vectors)
        self._changed()

    def remove(self, ids: np.ndarray) -> int:
        removed = self.index.remove(ids)
        self._changed()
        return removed

    def refresh(self) -> bool:
        return self.index.refresh()

    def _changed(self) -> None:
        self.changes += 1
        if self.changes % 2 == 0:
            self.refresh()


def opener(kind: type[StoredIndex[Any]], space: Space, **settings: Any) -> Callable[[Path], Index]:
    def open(folder: Path) -> Index:
        catalogue = Catalogue(folder / "catalogue.sqlite", create=True)
        store = VectorStore(catalogue, ArrayFolder(folder / "vectors"), "model", space)
        index = kind(store, **settings)
        return Refreshing(index) if settings else index

    return open


def remote(server: str, space: Space) -> Callable[[Path], Index]:
    """Opens a space on one of the servers, below a name that only this folder has."""
    [url] = [url for name, url, _ in SERVERS if name == server]

    def open(folder: Path) -> Index:
        catalogue = Catalogue(folder / "catalogue.sqlite", create=True)
        with catalogue.transaction():
            if catalogue.shards.server() is None:
                catalogue.shards.use_server(url())
        kept = catalogue.shards.server()
        assert kept is not None
        return RemoteIndex(catalogue, connected(kept[0]), kept[1], "model", space)

    return open


def draw_dense(rng: np.random.Generator, n: int) -> Dense:
    distinct = rng.integers(-3, 4, size=(max(1, n // 2), 12)).astype(np.float32)
    return Dense(distinct[rng.integers(0, len(distinct), size=n)])


def dot(queries: Dense, items: Dense) -> np.ndarray:
    return queries.values.astype(np.float64) @ items.values.astype(np.float64).T


def cosine(queries: Dense, items: Dense) -> np.ndarray:
    lengths = [np.linalg.norm(side.values.astype(np.float64), axis=1) for side in (queries, items)]
    product = np.outer(*lengths)
    return np.divide(dot(queries, items), product, out=np.zeros_like(product), where=product > 0)


def ragged(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)


def draw_sparse(rng: np.random.Generator, n: int, least: int = 1) -> Sparse:
    """Few words of 30, of few weights; the first word in all, so that all have something in common."""
    lengths = rng.integers(least, 5, size=n)
    shared = np.arange(least)
    terms = [np.append(shared, np.sort(1 + rng.permutation(29)[: length - least])) for length in lengths]
    weights = rng.choice([0.4, 1.0, 1.9], size=lengths.sum()).astype(np.float32)
    return Sparse(ragged(lengths), np.concatenate([np.empty(0, np.int64), *terms]), weights, 30)


def weighted_words(queries: Sparse, items: Sparse) -> np.ndarray:
    """The dot product with weights in 255 steps up to 4, those of a question in 65,535 up to its largest; no answer
    without a common word."""
    words, asked = (
        scipy.sparse.csr_array((side.values, side.indices, side.indptr), (len(side), 30)) for side in (items, queries)
    )
    kept = np.rint(words.toarray().astype(np.float64) * (255 / 4)) * (4 / 255)
    largest = np.maximum(np.abs(asked.toarray()).max(axis=1, keepdims=True, initial=0), 1e-9).astype(np.float64)
    rounded = np.rint(asked.toarray() / largest * 65535) * (largest / 65535)
    common = asked.toarray().astype(bool).astype(int) @ kept.astype(bool).astype(int).T
    return np.where(common > 0, rounded @ kept.T, -np.inf)


def draw_tokens(rng: np.random.Generator, n: int, least: int = 1) -> Tokens:
    offsets = ragged(rng.integers(least, 4, size=n))
    return Tokens(offsets, rng.integers(-3, 4, size=(offsets[-1], 8)).astype(np.float32))


def best_pairs(queries: Tokens, items: Tokens) -> np.ndarray:
    """The sum over a query's vectors of the best product; no answer without vectors on both sides."""
    scores = np.full((len(queries), len(items)), -np.inf)
    for row in range(len(queries)):
        for column in range(len(items)):
            query, item = queries.take(slice(row, row + 1)).values, items.take(slice(column, column + 1)).values
            if len(query) and len(item):
                scores[row, column] = (query @ item.T).max(axis=1).sum()
    return scores


IMAGE, WORDS, PARTS = (
    Space("image", "dense", 12, "dot"),
    Space("words", "sparse", 30, "dot"),
    Space("parts", "tokens", 8, "maxsim"),
)
ANGLES = replace(IMAGE, similarity="cosine")
NARROW, OTHER = Dense(np.zeros((1, 11), np.float32)), Tokens(np.array([0, 1]), np.zeros((1, 7), np.float32))
CASES = [
    Case("dense, dot", opener(DenseIndex, IMAGE), draw_dense, dot, NARROW),
    Case("dense, cosine", opener(DenseIndex, ANGLES), draw_dense, cosine, NARROW),
    Case("dense, partition", opener(DenseIndex, IMAGE, least=8, recall=0.99), draw_dense, dot, NARROW),
    Case("sparse", opener(LexicalIndex, WORDS), draw_sparse, weighted_words, NARROW),
    Case("sparse, postings", opener(LexicalIndex, WORDS, least=4), draw_sparse, weighted_words, NARROW),
    Case("tokens", opener(MultiVectorIndex, PARTS), draw_tokens, best_pairs, OTHER),
    Case("tokens, codes", opener(MultiVectorIndex, PARTS, least=4, recall=0.99), draw_tokens, best_pairs, OTHER),
]

for name, _, mark in SERVERS:
    CASES += [
        Case(f"{name}, dense, dot", remote(name, IMAGE), draw_dense, dot, NARROW, mark),
        Case(
            f"{name}, dense, cosine",
            remote(name, ANGLES),
            draw_dense,
            cosine,
            NARROW,
            mark,
        ),
        Case(f"{name}, sparse", remote(name, WORDS), draw_sparse, weighted_words, NARROW, mark),
    ]

# Items and questions that have nothing in common, or nothing at all.
ODD = [
    replace(case, name=f"{case.name}, odd", draw=partial(case.draw, least=0))
    for case in CASES
    if "sparse" in case.name or "tokens" in case.name
]


def marked(cases: list[Case]) -> list[ParameterSet]:
    return [pytest.param(case, id=case.name, marks=() if case.mark is None else case.mark) for case in cases]


@pytest.fixture(params=marked(CASES))
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def ids_of(*ids: int) -> np.ndarray:
    return np.array(ids, np.int64)


def check(case: Case, queries: Representation, k: int, ids: np.ndarray, items: Representation, found: list) -> None:
    """`found` is what an exact search for `queries` among `items` with these `ids` may answer."""
    assert len(found) == len(queries)
    truth = case.score(queries, items) if len(ids) else np.zeros((len(queries), 0))
    for query, (got, scores) in enumerate(found):
        assert got.dtype == np.int64
        assert scores.dtype == np.float32
        true = {id: score for id, score in zip(ids.tolist(), truth[query], strict=True) if np.isfinite(score)}
        assert len(got) == len(scores) == min(k, len(true)), "fewer only if fewer exist"
        assert len(set(got.tolist())) == len(got)
        order = sorted(zip(-scores.astype(float), got, strict=True))
        assert [id for _, id in order] == got.tolist(), "best first, ties by smaller id"
        np.testing.assert_allclose(scores, [true[id] for id in got.tolist()], atol=TOLERANCE)
        if len(got) < len(true):
            missed = max(score for id, score in true.items() if id not in set(got.tolist()))
            assert missed <= scores[-1] + TOLERANCE
            equal = [id for id, score in true.items() if abs(score - scores[-1]) < TOLERANCE]
            taken = sorted(set(equal) & set(got.tolist()))
            assert taken == sorted(equal)[: len(taken)], "of equal ones the smaller ids are taken"


def test_it_is_an_index(case: Case, tmp_path: Path) -> None:
    assert isinstance(case.open(tmp_path), Index)


def test_an_empty_index_finds_nothing(case: Case, tmp_path: Path, rng: np.random.Generator) -> None:
    found = case.open(tmp_path).search(case.draw(rng, 2), 3)
    assert [(len(ids), len(scores)) for ids, scores in found] == [(0, 0), (0, 0)]


def test_no_query_no_answer(case: Case, tmp_path: Path, rng: np.random.Generator) -> None:
    index = case.open(tmp_path)
    index.add(ids_of(1, 2), case.draw(rng, 2))
    assert index.search(case.draw(rng, 3).take(slice(0, 0)), 3) == []


@pytest.mark.parametrize("k", [0, -1])
def test_k_below_one_is_refused(case: Case, tmp_path: Path, rng: np.random.Generator, k: int) -> None:
    index = case.open(tmp_path)
    index.add(ids_of(1, 2), case.draw(rng, 2))
    with pytest.raises(InputError, match=f"k is {k}"):
        index.search(case.draw(rng, 1), k)


def test_what_does_not_fit_the_space_is_refused(case: Case, tmp_path: Path, rng: np.random.Generator) -> None:
    index = case.open(tmp_path)
    with pytest.raises(InputError, match=index.space.name):
        index.add(ids_of(1), case.wrong)
    with pytest.raises(InputError, match=index.space.name):
        index.search(case.wrong, 1)
    with pytest.raises(InputError, match=index.space.name):
        index.add(ids_of(1, 2, 3), case.draw(rng, 2))
    with pytest.raises(InputError, match="twice"):
        index.add(ids_of(4, 4), case.draw(rng, 2))
    assert index.search(case.draw(rng, 1), 5)[0][0].tolist() == []


@pytest.mark.parametrize("k", [1, 3, 40, 1000])
def test_many_queries_at_once_are_as_one_by_one(case: Case, tmp_path: Path, rng: np.random.Generator, k: int) -> None:
    index, ids, items = case.open(tmp_path), np.arange(100, 140), case.draw(rng, 40)
    index.add(ids, items)
    queries = case.draw(rng, 7)
    found = index.search(queries, k)
    check(case, queries, k, ids, items, found)
    for row, (got, scores) in enumerate(found):
        [(alone, alone_scores)] = index.search(queries.take(slice(row, row + 1)), k)
        assert alone.tolist() == got.tolist()
        assert alone_scores.tolist() == scores.tolist()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9, 1.0])
def test_a_filter_of_any_selectivity(case: Case, tmp_path: Path, rng: np.random.Generator, share: float) -> None:
    index, ids, items = case.open(tmp_path), np.arange(0, 600, 3), case.draw(rng, 200)
    for start in range(0, 200, 50):
        index.add(ids[start : start + 50], items.take(slice(start, start + 50)))
    chosen = np.sort(rng.permutation(200)[: round(share * 200)])
    unknown = np.arange(1, 600, 300)
    among = Selection(np.union1d(ids[chosen], unknown))
    queries = case.draw(rng, 3)
    check(case, queries, 9, ids[chosen], items.take(chosen), index.search(queries, 9, among=among))


def test_adding_again_replaces(case: Case, tmp_path: Path, rng: np.random.Generator) -> None:
    index, items, newer = case.open(tmp_path), case.draw(rng, 6), case.draw(rng, 2)
    index.add(np.arange(6), items)
    index.add(ids_of(4, 1), newer)
    now = [newer.take(slice(1, 2)) if id == 1 else newer.take(slice(0, 1)) if id == 4 else None for id in range(6)]
    for id in range(6):
        expected = now[id] if now[id] is not None else items.take(slice(id, id + 1))
        queries = case.draw(rng, 4)
        check(case, queries, 1, ids_of(id), expected, index.search(queries, 1, among=Selection(ids_of(id))))
    assert len(index.search(case.draw(rng, 1), 100)[0][0]) == 6


def test_remove_counts_what_was_there(case: Case, tmp_path: Path, rng: np.random.Generator) -> None:
    index = case.open(tmp_path)
    index.add(np.arange(6), case.draw(rng, 6))
    assert index.remove(ids_of(5, 2, 77)) == 2
    assert index.remove(ids_of(5, 2)) == 0
    assert index.remove(ids_of()) == 0
    assert sorted(index.search(case.draw(rng, 1), 9)[0][0].tolist()) == [0, 1, 3, 4]
    index.add(ids_of(2), case.draw(rng, 1))
    assert sorted(index.search(case.draw(rng, 1), 9)[0][0].tolist()) == [0, 1, 2, 3, 4]


def test_opened_again_it_answers_the_same(case: Case, tmp_path: Path, rng: np.random.Generator) -> None:
    index, queries = case.open(tmp_path), case.draw(rng, 5)
    for start in range(0, 90, 10):
        index.add(np.arange(start, start + 10), case.draw(rng, 10))
    index.remove(np.arange(0, 90, 7))
    before = index.search(queries, 20)
    again = case.open(tmp_path)
    for (ids, scores), (ids_again, scores_again) in zip(before, again.search(queries, 20), strict=True):
        assert ids.tolist() == ids_again.tolist()
        assert scores.tolist() == scores_again.tolist()
    assert again.stats() == index.stats()


def test_a_reader_sees_whole_batches_while_another_adds(case: Case, tmp_path: Path, rng: np.random.Generator) -> None:
    batches, size = 20, 5
    writer, reader = case.open(tmp_path), case.open(tmp_path)
    query, content = case.draw(rng, 1), [case.draw(rng, size) for _ in range(batches)]
    done, trouble, seen = threading.Event(), [], []

    def read(index: Index) -> None:
        try:
            while not done.wait(0.005):
                seen.append(sorted(index.search(query, batches * size)[0][0].tolist()))
        except Exception as error:  # the assertion below shows it
            trouble.append(error)

    threads = [threading.Thread(target=read, args=(index,)) for index in (reader, reader, writer)]
    for thread in threads:
        thread.start()
    for number, vectors in enumerate(content):
        writer.add(np.arange(number * size, (number + 1) * size), vectors)
    done.set()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert all(ids == list(range(len(ids))) and len(ids) % size == 0 for ids in seen)
    assert sorted(reader.search(query, batches * size)[0][0].tolist()) == list(range(batches * size))


def small_ids(least: int = 0) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(0, 24), unique=True, min_size=least, max_size=12)


class Session(RuleBasedStateMachine):
    """Any sequence of operations, against a plain dict of the same things."""

    case: Case

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=IN_MEMORY)
        self.index = self.case.open(Path(self.folder.name))
        self.items: dict[int, Representation] = {}
        self.rng = np.random.default_rng(3)

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(ids=small_ids(1))
    def add(self, ids: list[int]) -> None:
        drawn = self.case.draw(self.rng, len(ids))
        self.index.add(ids_of(*ids), drawn)
        self.items |= {id: drawn.take(slice(row, row + 1)) for row, id in enumerate(ids)}

    @rule(ids=small_ids())
    def remove(self, ids: list[int]) -> None:
        assert self.index.remove(ids_of(*ids)) == len(self.items.keys() & set(ids))
        self.items = {id: item for id, item in self.items.items() if id not in ids}

    @rule()
    def reopen(self) -> None:
        self.index = self.case.open(Path(self.folder.name))

    @rule(ids=small_ids(), k=st.integers(1, 30))
    def search_among(self, ids: list[int], k: int) -> None:
        self.compare(k, ids_of(*sorted(ids)))

    @invariant()
    def finds_the_same(self) -> None:
        self.compare(4, None)

    def compare(self, k: int, among: np.ndarray | None) -> None:
        queries = self.case.draw(self.rng, 3)
        found = self.index.search(queries, k, among=None if among is None else Selection(among))
        ids = sorted(self.items if among is None else self.items.keys() & set(among.tolist()))
        scores = [self.case.score(queries, self.items[id]) for id in ids]
        truth = np.concatenate(scores, axis=1) if ids else np.zeros((3, 0))
        check(replace(self.case, score=lambda *_: truth), queries, k, ids_of(*ids), queries, found)


@pytest.mark.parametrize("case", marked([*CASES, *ODD]))
def test_any_sequence_of_operations(case: Case) -> None:
    machine = type("CaseSession", (Session,), {"case": case})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=12, stateful_step_count=15, deadline=None, derandomize=True, database=None),
    )
