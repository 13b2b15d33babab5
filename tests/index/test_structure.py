"""A structure covers shards, follows what happens to their rows, and can be done without."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.selection import Selection
from limner.core.types import Dense, Item, Space
from limner.index import vectors as vectors_module
from limner.index.arrays import Array, ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.chunks import Chunks
from limner.index.records import Entry
from limner.index.structure import Structure, alive_rows, count_rows, is_due, key_arrays, keys_of, rows_of
from limner.index.vectors import MERGED_SHARDS, VectorStore

SPACE = Space("image", "dense", 4, "dot")

some_keys = st.lists(st.integers(0, 60), unique=True).map(lambda keys: np.array(sorted(keys), np.int64))


@given(some_keys, some_keys)
def test_keys_and_rows_go_round(keys: np.ndarray, asked: np.ndarray) -> None:
    arrays = key_arrays(keys)
    assert count_rows(arrays) == len(keys)
    np.testing.assert_array_equal(keys_of(arrays, np.arange(len(keys))), keys)
    np.testing.assert_array_equal(rows_of(arrays, asked), np.flatnonzero(np.isin(keys, asked)))
    mask = alive_rows(arrays, [asked])
    np.testing.assert_array_equal(np.ones(len(keys), bool) if mask is None else mask, np.isin(keys, asked))


def test_runs_are_few() -> None:
    arrays = key_arrays(np.delete(np.arange(1000), [300, 301, 700]))
    assert len(arrays["run_keys"]) == 3


@given(some_keys, some_keys, some_keys)
def test_what_is_allowed(keys: np.ndarray, dead: np.ndarray, among: np.ndarray) -> None:
    check_allowed(keys, dead, among)


def test_what_is_allowed_where_keys_come_in_many_runs() -> None:
    rng = np.random.default_rng(5)
    keys, dead, among = (np.flatnonzero(rng.random(4000) < share) for share in (0.8, 0.1, 0.5))
    check_allowed(keys, dead, among)
    check_allowed(keys, dead[:0], among[:3])


def check_allowed(keys: np.ndarray, dead: np.ndarray, among: np.ndarray) -> None:
    arrays = key_arrays(keys)
    structure = Structure("x", arrays, alive_rows(arrays, [np.setdiff1d(keys, dead)]))
    for chosen in (None, among):
        allowed = structure.allowed(None if chosen is None else Selection(chosen))
        expected = ~np.isin(keys, dead) & (np.isin(keys, among) if chosen is not None else True)
        np.testing.assert_array_equal(np.ones(len(keys), bool) if allowed is None else allowed, expected)


@pytest.mark.parametrize(
    ("rows", "covered", "live", "due"),
    [
        (0, 0, 99, False),
        (0, 0, 100, True),
        (1000, 1000, 1100, False),
        (1000, 1000, 1101, True),
        (100_000, 100_000, 102_000, False),
        (100_000, 100_000, 102_100, True),
        (1000, 750, 750, False),
        (1000, 740, 740, True),
        (100, 60, 60, False),
        (100, 40, 40, True),
    ],
)
def test_when_it_is_built_anew(rows: int, covered: int, live: int, due: bool) -> None:
    assert is_due(rows, covered, live, least=100) is due


def vectors_of(keys: np.ndarray) -> Dense:
    return Dense(np.outer(keys, [1, 2, 3, 4]).astype(np.float32))


def store_of(catalogue: Catalogue) -> VectorStore:
    return VectorStore(catalogue, ArrayFolder(catalogue.path.parent / "vectors"), "model", SPACE)


def first_column(chunks: Chunks) -> dict[str, Array]:
    """The plainest structure: a copy of a column."""
    return {"column": np.concatenate([chunk.values[:, 0] for chunk in chunks])}


def put(catalogue: Catalogue, store: VectorStore, first: int, end: int) -> np.ndarray:
    with catalogue.transaction():
        keys = catalogue.put([Entry(Item(f"/{number}")) for number in range(first, end)])
        store.add(keys, vectors_of(keys))
    return keys


def found(store: VectorStore) -> list[int]:
    """The keys that a search over structure and rest can find: by what the structure holds where it covers."""
    snapshot = store.snapshot()
    keys = []
    if snapshot.structure is not None:
        rows = np.arange(len(snapshot.structure))
        rows = rows if snapshot.structure.alive is None else rows[snapshot.structure.alive]
        keys += snapshot.structure.keys(rows).tolist()
        np.testing.assert_array_equal(snapshot.structure.arrays["column"][rows], keys)
    for block in snapshot.rest():
        keys += block.keys[block.rows() if block.live is not None else slice(None)].tolist()
    assert len(keys) == len(set(keys))
    return sorted(keys)


def test_it_follows_what_happens_to_its_rows(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    keys = put(catalogue, store, 0, 30)
    assert not store.refresh(first_column, least=31)
    assert store.refresh(first_column, least=20)
    assert not store.refresh(first_column, least=20), "nothing has changed"
    assert store.snapshot().rest() == ()
    assert found(store) == keys.tolist()

    more = put(catalogue, store, 30, 40)
    assert sum(len(block.keys) for block in store.snapshot().rest()) == 10
    store.remove(keys[:3])
    catalogue.vanish(keys[3:5])
    store.add(keys[6:8], vectors_of(keys[6:8]))
    expected = sorted([*keys[5:].tolist(), *more.tolist()])
    assert found(store) == expected
    assert found(store_of(catalogue)) == expected
    assert len(store.snapshot().structure or ()) == 30

    catalogue.put([Entry(Item("/3"))])  # back again
    assert found(store) == sorted([keys[3], *expected])

    store.remove(keys[8:28])  # its shard is half dead and written anew, still covered
    assert store.stats()["dead"] == 0
    assert found(store) == sorted({keys[3], *expected} - set(keys[8:28].tolist()))
    assert store.refresh(first_column, least=12)
    assert len(store.snapshot().structure or ()) == len(found(store)) == 16


def test_covered_shards_are_not_merged_with_others(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    for start in range(0, 20, 2):
        put(catalogue, store, start, start + 2)
    assert store.refresh(first_column, least=10)
    for start in range(20, 20 + 2 * MERGED_SHARDS, 2):
        put(catalogue, store, start, start + 2)
    snapshot = store.snapshot()
    assert sorted(len(block.keys) for block in snapshot.blocks if block.covered) == [2] * 10
    assert [len(block.keys) for block in snapshot.rest()] == [2 * MERGED_SHARDS]
    assert len(found(store)) == 20 + 2 * MERGED_SHARDS


def test_too_few_items_need_none(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    keys = put(catalogue, store, 0, 20)
    store.refresh(first_column, least=20)
    store.remove(keys[:11])
    assert store.refresh(first_column, least=20)
    assert store.snapshot().structure is None
    assert found(store) == keys[11:].tolist()
    assert len(list((catalogue.path.parent / "vectors").iterdir())) == 1


def test_shards_merged_while_it_was_built_are_not_covered(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    for start in range(MERGED_SHARDS - 1):
        put(catalogue, store, start, start + 1)

    def build(chunks: Chunks) -> dict[str, Array]:
        put(catalogue, store, 100, 101)  # merges all shards into one
        return first_column(chunks)

    assert store.refresh(build, least=10)
    snapshot = store.snapshot()
    assert [block.covered for block in snapshot.blocks] == [False]
    assert len(found(store)) == MERGED_SHARDS
    assert store.refresh(first_column, least=10)
    assert store.snapshot().rest() == ()
    assert len(found(store)) == MERGED_SHARDS


def structure_file(catalogue: Catalogue) -> Path:
    with catalogue.reading() as connection:
        [(name,)] = connection.execute("SELECT file FROM structures").fetchall()
    return catalogue.path.parent / "vectors" / name


@pytest.mark.parametrize("damage", ["missing", "cut", "bits", "header"])
def test_a_damaged_one_is_done_without_and_built_anew(catalogue: Catalogue, damage: str) -> None:
    store = store_of(catalogue)
    keys = put(catalogue, store, 0, 30)
    store.refresh(first_column, least=20)
    path = structure_file(catalogue)
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-8])
    else:
        content[-3 if damage == "bits" else 9] ^= 65
        path.write_bytes(content)
    again = store_of(catalogue)
    assert again.snapshot().structure is None
    assert found(again) == keys.tolist()
    assert again.refresh(first_column, least=20)
    assert len(again.snapshot().structure or ()) == 30
    assert found(again) == keys.tolist()
    assert structure_file(catalogue) != path


def test_a_build_that_fails_changes_nothing(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    keys = put(catalogue, store, 0, 30)

    def fail(chunks: Chunks) -> dict[str, Array]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.refresh(fail, least=20)
    assert store.snapshot().structure is None
    assert found(store) == keys.tolist()


def test_a_large_one_is_not_read_whole_on_opening(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_module, "VERIFIED_BYTES", 10)
    store = store_of(catalogue)
    put(catalogue, store, 0, 30)
    store.refresh(first_column, least=20)
    path = structure_file(catalogue)
    content = bytearray(path.read_bytes())
    content[-3] ^= 65
    path.write_bytes(content)
    assert store_of(catalogue).snapshot().structure is not None
