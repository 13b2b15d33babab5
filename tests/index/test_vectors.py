"""The store of one space: what is alive, merging, damage, and what a reader sees of a writer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limner.core.errors import CollectionError, InputError
from limner.core.types import Dense, Item, Space
from limner.index import chunks as chunks_module
from limner.index import vectors as vectors_module
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
from limner.index.records import Entry, Model
from limner.index.vectors import MERGED_SHARDS, VectorStore

SPACE = Space("image", "dense", 8, "dot")


def store_of(catalogue: Catalogue, fingerprint: str = "model", space: Space = SPACE) -> VectorStore:
    return VectorStore(catalogue, ArrayFolder(catalogue.path.parent / "vectors"), fingerprint, space)


def vectors_of(keys: np.ndarray | list[int]) -> np.ndarray:
    """Vectors by which a key is known again."""
    return np.outer(np.asarray(keys, np.float32), np.arange(1, 9, dtype=np.float32))


def contents(store: VectorStore) -> dict[int, list[float]]:
    """What a search can find, as key -> vector."""
    found: dict[int, list[float]] = {}
    for block in store.snapshot().blocks:
        assert (np.diff(block.keys) > 0).all()
        live = np.ones(len(block.keys), np.bool_) if block.live is None else block.live
        for key, vector in zip(block.keys[live].tolist(), block.vectors[live].tolist(), strict=True):
            assert key not in found, "at most one live row an item"
            found[key] = vector
    return found


def counts(store: VectorStore) -> dict[str, int]:
    """What stands of it in shards."""
    return {name: count for name, count in store.stats().items() if not name.startswith("structure")}


def expected(keys: object) -> dict[int, list[float]]:
    return {key: vectors_of([key])[0].tolist() for key in keys}  # type: ignore[attr-defined]


def files(catalogue: Catalogue) -> set[str]:
    return {path.name for path in (catalogue.path.parent / "vectors").iterdir()}


def test_rows_are_kept_by_ascending_key(catalogue: Catalogue) -> None:
    store, keys = store_of(catalogue), np.array([5, 1, 9, 3])
    store.add(keys, Dense(vectors_of(keys)))
    assert contents(store) == expected([1, 3, 5, 9])


def test_nothing_to_add_makes_no_file(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    store.add(np.empty(0, np.int64), Dense(np.empty((0, 8), np.float32)))
    assert store.snapshot().blocks == ()


def test_take_gives_vectors_of_items(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    store.add(np.arange(10), Dense(vectors_of(np.arange(10))))
    store.add(np.array([4]), Dense(vectors_of([44])))
    store.remove(np.array([6]))
    keys, vectors = store.take(np.array([7, 4, 6, 99]))
    assert keys.tolist() == [4, 7]
    np.testing.assert_array_equal(vectors.values, vectors_of([44, 7]))
    assert store.take(np.array([99]))[1].values.shape == (0, 8)


def test_take_gives_vectors_of_vanished_items_too(catalogue: Catalogue) -> None:
    store, keys = store_of(catalogue), catalogue.put([Entry(Item(f"/{name}")) for name in "abc"])
    store.add(keys, Dense(vectors_of(keys)))
    catalogue.vanish(keys[:1])
    assert list(contents(store)) == keys[1:].tolist()
    assert store.take(keys)[0].tolist() == keys.tolist()
    catalogue.remove(keys[:1])
    assert store.take(keys)[0].tolist() == keys[1:].tolist()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(catalogue: Catalogue, value: float) -> None:
    vectors = vectors_of([1, 2])
    vectors[1, 3] = value
    with pytest.raises(InputError, match="space image: a vector holds NaN or infinity"):
        store_of(catalogue).add(np.array([1, 2]), Dense(vectors))


def test_spaces_and_models_do_not_mix(catalogue: Catalogue) -> None:
    text = Space("text", "dense", 8, "dot")
    stores = store_of(catalogue), store_of(catalogue, "newer"), store_of(catalogue, "model", text)
    for shift, store in enumerate(stores):
        store.add(np.arange(3), Dense(vectors_of(np.arange(3) + shift)))
    stores[0].remove(np.array([0]))
    assert [len(contents(store)) for store in stores] == [2, 3, 3]
    assert catalogue.shards.spaces() == [("model", "image"), ("model", "text"), ("newer", "image")]


def test_many_small_shards_become_few(catalogue: Catalogue) -> None:
    store, n = store_of(catalogue), MERGED_SHARDS * MERGED_SHARDS + 3
    for key in range(n):
        store.add(np.array([key]), Dense(vectors_of([key])))
        assert len(store.snapshot().blocks) <= 2 * MERGED_SHARDS
    assert contents(store) == expected(range(n))
    assert store.stats()["shards"] == 4
    assert files(catalogue) == catalogue.shards.files()


def test_merging_brings_interleaved_keys_in_order(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks_module, "_CHUNK_ROWS", 7)
    store = store_of(catalogue)
    for start in range(MERGED_SHARDS):
        keys = np.arange(start, 10 * MERGED_SHARDS, MERGED_SHARDS)
        store.add(keys, Dense(vectors_of(keys)))
    assert len(store.snapshot().blocks) == 1
    assert contents(store) == expected(range(10 * MERGED_SHARDS))


def test_large_shards_are_left_alone(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors_module, "LARGE_SHARD_ROWS", 20)
    store = store_of(catalogue)
    for start in range(0, 600, 30):
        store.add(np.arange(start, start + 30), Dense(vectors_of(np.arange(start, start + 30))))
    assert len(store.snapshot().blocks) == 20


def test_a_shard_that_is_half_dead_is_written_anew(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    store.add(np.arange(10), Dense(vectors_of(np.arange(10))))
    store.remove(np.arange(4))
    assert counts(store) == {"vectors": 6, "dead": 4, "shards": 1, "bytes": 128 + 10 * 32}
    store.remove(np.array([4]))
    assert counts(store) == {"vectors": 5, "dead": 0, "shards": 1, "bytes": 128 + 5 * 32}
    store.remove(np.arange(10))
    assert counts(store) == {"vectors": 0, "dead": 0, "shards": 0, "bytes": 0}
    assert files(catalogue) == set()


def test_merging_waits_for_the_commit(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    with catalogue.transaction():
        for key in range(MERGED_SHARDS):
            store.add(np.array([key]), Dense(vectors_of([key])))
        assert len(store.snapshot().blocks) == MERGED_SHARDS
    assert len(store.snapshot().blocks) == 1
    assert contents(store) == expected(range(MERGED_SHARDS))


def test_a_rolled_back_batch_was_never_there(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    store.add(np.arange(3), Dense(vectors_of(np.arange(3))))

    def fail(key: int) -> None:
        with catalogue.transaction():
            store.add(np.array([1, key]), Dense(vectors_of([100, key])))
            assert contents(store) == {**expected([0, 2, key]), 1: vectors_of([100])[0].tolist()}
            raise KeyError

    for key in (7, 8):  # the second must not be taken for the first
        with pytest.raises(KeyError):
            fail(key)
    assert contents(store) == expected(range(3))
    assert len(files(catalogue)) == 3
    ArrayFolder(catalogue.path.parent / "vectors").sweep(catalogue.shards.files())
    assert files(catalogue) == catalogue.shards.files()
    assert contents(store_of(catalogue)) == expected(range(3))


def test_items_and_vectors_live_and_die_together(catalogue: Catalogue) -> None:
    store, newer = store_of(catalogue), store_of(catalogue, "newer")
    with catalogue.transaction():
        keys = catalogue.put([Entry(Item(f"/{name}"), "hash") for name in "abcd"])
        store.add(keys, Dense(vectors_of(keys)))
    assert catalogue.shards.missing("model", "image").tolist() == []
    assert catalogue.shards.missing("newer", "image").tolist() == keys.tolist()
    newer.add(keys[:3], Dense(vectors_of(keys[:3])))
    assert catalogue.shards.missing("newer", "image").tolist() == keys[3:].tolist()

    catalogue.vanish(keys[:1])
    assert contents(store) == expected(keys[1:].tolist())
    assert catalogue.shards.missing("model", "image").tolist() == []
    catalogue.put([Entry(Item("/a"), "hash")])
    assert contents(store) == expected(keys.tolist()), "back with the vector it had"

    catalogue.put([Entry(Item("/b"), "other bytes")])
    assert contents(store) == expected(keys[[0, 2, 3]].tolist()), "its vector was of other bytes"
    assert keys[1] not in contents(newer)
    assert catalogue.shards.missing("model", "image").tolist() == [keys[1]]

    catalogue.remove(keys[2:3])
    assert contents(store) == expected(keys[[0, 3]].tolist())


def test_the_vanished_survive_a_merge(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    keys = catalogue.put([Entry(Item(f"/{name}")) for name in range(MERGED_SHARDS)])
    catalogue.vanish(keys[:3])
    for key in keys:
        store.add(np.array([key]), Dense(vectors_of([key])))
    assert len(store.snapshot().blocks) == 1
    assert contents(store) == expected(keys[3:].tolist())
    catalogue.put([Entry(Item("/0"))])
    assert contents(store) == expected([keys[0], *keys[3:].tolist()])


def test_going_over_to_another_model_is_one_step(catalogue: Catalogue) -> None:
    old, new = store_of(catalogue), store_of(catalogue, "newer")
    catalogue.use_model(Model("old", "model"))
    old.add(np.arange(3), Dense(vectors_of(np.arange(3))))
    new.add(np.arange(3), Dense(vectors_of(np.arange(3) + 10)))
    catalogue.use_model(Model("new", "newer"))
    assert contents(old) == {}
    assert len(contents(new)) == 3
    ArrayFolder(catalogue.path.parent / "vectors").sweep(catalogue.shards.files())
    assert len(files(catalogue)) == 1


def test_a_reader_follows_the_writer(catalogue: Catalogue) -> None:
    other = Catalogue(catalogue.path)
    writer, reader = store_of(catalogue), store_of(other)
    for key in range(3 * MERGED_SHARDS):
        writer.add(np.array([key]), Dense(vectors_of([key])))
        assert contents(reader) == expected(range(key + 1))
    writer.remove(np.arange(5))
    assert contents(reader) == expected(range(5, 3 * MERGED_SHARDS))
    other.close()


def test_a_reader_whose_files_were_merged_away_looks_again(catalogue: Catalogue) -> None:
    other = Catalogue(catalogue.path)
    writer, reader = store_of(catalogue), store_of(other)
    for key in range(MERGED_SHARDS - 1):
        writer.add(np.array([key]), Dense(vectors_of([key])))
    stale = reader._view()
    writer.add(np.array([77]), Dense(vectors_of([77])))  # merges, and the files of the view go
    views = iter([stale])
    reader._view = lambda: next(views, None) or VectorStore._view(reader)  # type: ignore[method-assign]
    assert contents(reader) == expected([*range(MERGED_SHARDS - 1), 77])
    other.close()


def only_file(catalogue: Catalogue) -> Path:
    [path] = (catalogue.path.parent / "vectors").iterdir()
    return path


def test_a_missing_file_is_named(catalogue: Catalogue) -> None:
    store_of(catalogue).add(np.arange(3), Dense(vectors_of(np.arange(3))))
    path = only_file(catalogue)
    path.unlink()
    with pytest.raises(CollectionError, match=rf"vectors/{path.name}: vectors damaged \(missing\).*limner reindex"):
        store_of(catalogue).snapshot()
    assert store_of(catalogue).verify() == [
        f"{path}: vectors damaged (no such file or directory); make them again with: limner reindex"
    ]


def test_a_flipped_bit_is_found(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    store_of(catalogue).add(np.arange(3), Dense(vectors_of(np.arange(3))))
    assert store_of(catalogue).verify() == []
    path = only_file(catalogue)
    content = bytearray(path.read_bytes())
    content[-1] ^= 4
    path.write_bytes(content)
    with pytest.raises(CollectionError, match=f"{path.name}.*checksum"):
        store_of(catalogue).snapshot()
    monkeypatch.setattr(vectors_module, "VERIFIED_BYTES", 10)
    assert len(store_of(catalogue).snapshot().blocks) == 1, "a large store is not read whole on opening"
    assert len(store_of(catalogue).verify()) == 1


def test_what_is_damaged_can_be_dropped_and_made_again(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    keys = catalogue.put([Entry(Item(f"/{name}")) for name in "abcd"])
    store.add(keys[:2], Dense(vectors_of(keys[:2])))
    path = only_file(catalogue)
    store.add(keys[2:], Dense(vectors_of(keys[2:])))
    assert store.drop_damaged() == 0
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert store.drop_damaged() == 1
    assert store.placed().tolist() == keys[2:].tolist()
    assert catalogue.shards.missing("model", "image").tolist() == keys[:2].tolist()
    store.add(keys[:2], Dense(vectors_of(keys[:2])))
    assert contents(store_of(catalogue)) == expected(keys.tolist())


def test_merging_never_gives_damage_a_new_checksum(catalogue: Catalogue) -> None:
    store = store_of(catalogue)
    store.add(np.arange(10), Dense(vectors_of(np.arange(10))))
    path = only_file(catalogue)
    content = bytearray(path.read_bytes())
    content[-1] ^= 4
    path.write_bytes(content)
    with pytest.raises(CollectionError, match="checksum"):
        store.remove(np.arange(6))
    assert files(catalogue) == {path.name}


def test_the_index_joins_the_transaction_of_the_catalogue(catalogue: Catalogue) -> None:
    index = DenseIndex(store_of(catalogue))

    def fail() -> None:
        with catalogue.transaction():
            keys = catalogue.put([Entry(Item("/a"))])
            index.add(keys, Dense(vectors_of(keys)))
            assert index.search(Dense(vectors_of([1])), 1)[0][0].tolist() == keys.tolist()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert index.search(Dense(vectors_of([1])), 1)[0][0].tolist() == []
    assert catalogue.count() == (0, 0)
