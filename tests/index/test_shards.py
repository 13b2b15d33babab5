from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from limner.core.errors import CollectionError, StorageError
from limner.index.shards import ShardFile, ShardFolder


@pytest.fixture
def shards(folder: Path) -> ShardFolder:
    return ShardFolder(folder / "vectors")


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)


def test_a_shard_is_a_plain_npy_file(shards: ShardFolder, vectors: np.ndarray) -> None:
    written = shards.write([vectors[:30], vectors[30:]], 100, 8)
    np.testing.assert_array_equal(np.load(shards.path / written.name), vectors)
    mapped = shards.open(written, 100, 8)
    np.testing.assert_array_equal(mapped, vectors)
    assert not mapped.flags.writeable
    assert written.norm == pytest.approx(np.linalg.norm(vectors, axis=1).max())
    assert written.bytes == (shards.path / written.name).stat().st_size
    shards.verify(written)


def test_no_two_files_have_the_same_name(shards: ShardFolder, vectors: np.ndarray) -> None:
    assert len({shards.write([vectors], 100, 8).name for _ in range(20)}) == 20


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def scribble(path: Path) -> None:
    path.write_bytes(b"x" * path.stat().st_size)


@pytest.mark.parametrize(
    ("damage", "what"), [(flip, "checksum"), (cut, "checksum"), (grow, "checksum"), (Path.unlink, "no such file")]
)
def test_verify_finds_damage(shards: ShardFolder, vectors: np.ndarray, damage: object, what: str) -> None:
    written = shards.write([vectors], 100, 8)
    damage(shards.path / written.name)  # type: ignore[operator]
    with pytest.raises(CollectionError, match=rf"{written.name}: vectors damaged \(.*{what}.*\).* limner reindex"):
        shards.verify(written)


@pytest.mark.parametrize(("damage", "what"), [(cut, "3288 bytes instead of 3328"), (scribble, r"its header is not .*")])
def test_open_finds_what_shows_at_a_glance(shards: ShardFolder, vectors: np.ndarray, damage: object, what: str) -> None:
    written = shards.write([vectors], 100, 8)
    damage(shards.path / written.name)  # type: ignore[operator]
    with pytest.raises(CollectionError, match=rf"{written.name}: vectors damaged \({what}\)"):
        shards.open(written, 100, 8)


def test_open_finds_another_shape(shards: ShardFolder, vectors: np.ndarray) -> None:
    written = shards.write([vectors], 100, 8)
    with pytest.raises(CollectionError, match=r"header is not that of float32 \(50, 16\)"):
        shards.open(written, 50, 16)


def test_a_write_that_fails_leaves_nothing(shards: ShardFolder, vectors: np.ndarray) -> None:
    def chunks() -> Iterator[np.ndarray]:
        yield vectors
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shards.write(chunks(), 200, 8)
    with pytest.raises(ValueError, match="100 rows given, 99 announced"):
        shards.write([vectors], 99, 8)
    assert list(shards.path.iterdir()) == []


def test_a_file_that_may_not_grow_is_a_storage_error(shards: ShardFolder, vectors: np.ndarray) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="vectors: cannot be written"):
            shards.write([vectors], 100, 8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(shards.path.iterdir()) == []


def test_sweep_takes_what_nobody_names(shards: ShardFolder, vectors: np.ndarray) -> None:
    kept, orphan = shards.write([vectors], 100, 8), shards.write([vectors], 100, 8)
    (shards.path / "0123456789abcdef.npy.part").write_bytes(b"torn")
    (shards.path / "notes.txt").write_text("of the owner")
    mapped = shards.open(orphan, 100, 8)
    assert shards.sweep({kept.name}) == 2
    assert sorted(path.name for path in shards.path.iterdir()) == sorted([kept.name, "notes.txt"])
    np.testing.assert_array_equal(mapped, vectors)  # a reader that has it open goes on
    with pytest.raises(FileNotFoundError):
        shards.open(orphan, 100, 8)


def test_sweeping_a_folder_that_is_not_there(folder: Path) -> None:
    assert ShardFolder(folder / "none").sweep(set()) == 0


def test_a_shard_file_is_what_the_ledger_keeps() -> None:
    assert ShardFile("a.npy", 1, 2, 3.0) == ShardFile("a.npy", 1, 2, 3.0)
