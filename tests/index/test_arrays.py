from __future__ import annotations

import re
import resource
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from limner.core.errors import CollectionError, StorageError
from limner.index.arrays import ArrayFile, ArrayFolder, Stream, expect_scattered_reads


@pytest.fixture
def shards(folder: Path) -> ArrayFolder:
    return ArrayFolder(folder / "vectors")


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32)


def given(vectors: np.ndarray) -> dict[str, np.ndarray | Stream]:
    """Arrays of several types, one of them in chunks."""
    stream = Stream(vectors.dtype, vectors.shape, iter([vectors[:30], vectors[30:]]))
    return {"bytes": np.arange(7, dtype=np.uint8), "none": np.empty((0, 3), np.float16), "vectors": stream}


def test_a_file_is_plain_safetensors(shards: ArrayFolder, vectors: np.ndarray) -> None:
    written = shards.write(given(vectors))
    for read in (load_file(shards.path / written.name), shards.open(written)):
        assert set(read) == {"bytes", "none", "vectors"}
        np.testing.assert_array_equal(read["vectors"], vectors)
        np.testing.assert_array_equal(read["bytes"], np.arange(7))
        assert read["none"].shape == (0, 3)
    mapped = shards.open(written)["vectors"]
    assert not mapped.flags.writeable
    assert mapped.ctypes.data % 64 == 0
    assert written.bytes == (shards.path / written.name).stat().st_size
    shards.verify(written)


def test_no_two_files_have_the_same_name(shards: ArrayFolder, vectors: np.ndarray) -> None:
    assert len({shards.write({"vectors": vectors}).name for _ in range(20)}) == 20


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
def test_verify_finds_damage(shards: ArrayFolder, vectors: np.ndarray, damage: object, what: str) -> None:
    written = shards.write({"vectors": vectors})
    damage(shards.path / written.name)  # type: ignore[operator]
    with pytest.raises(CollectionError, match=rf"{written.name}: vectors damaged \(.*{what}.*\).* limner reindex"):
        shards.verify(written)


@pytest.mark.parametrize(("damage", "what"), [(cut, "3288 bytes instead of 3328"), (scribble, "its header is wrong")])
def test_open_finds_what_shows_at_a_glance(shards: ArrayFolder, vectors: np.ndarray, damage: object, what: str) -> None:
    written = shards.write({"vectors": vectors})
    damage(shards.path / written.name)  # type: ignore[operator]
    with pytest.raises(CollectionError, match=rf"{written.name}: vectors damaged \({what}\)"):
        shards.open(written)


def test_a_write_that_fails_leaves_nothing(shards: ArrayFolder, vectors: np.ndarray) -> None:
    def chunks() -> Iterator[np.ndarray]:
        yield vectors
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shards.write({"vectors": Stream(vectors.dtype, (200, 8), chunks())})
    with pytest.raises(ValueError, match="vectors: 3200 bytes given, 3168 announced"):
        shards.write({"vectors": Stream(vectors.dtype, (99, 8), [vectors])})
    assert list(shards.path.iterdir()) == []


def test_a_file_that_may_not_grow_is_a_storage_error(shards: ArrayFolder, vectors: np.ndarray) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StorageError, match="vectors: cannot be written"):
            shards.write({"vectors": vectors})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(shards.path.iterdir()) == []


def test_sweep_takes_what_nobody_names(shards: ArrayFolder, vectors: np.ndarray) -> None:
    kept, orphan = shards.write({"vectors": vectors}), shards.write({"vectors": vectors})
    (shards.path / "0123456789abcdef.safetensors.part").write_bytes(b"torn")
    (shards.path / "notes.txt").write_text("of the owner")
    mapped = shards.open(orphan)["vectors"]
    assert shards.sweep({kept.name}) == 2
    assert sorted(path.name for path in shards.path.iterdir()) == sorted([kept.name, "notes.txt"])
    np.testing.assert_array_equal(mapped, vectors)  # a reader that has it open goes on
    with pytest.raises(FileNotFoundError):
        shards.open(orphan)["vectors"]


def test_sweeping_a_folder_that_is_not_there(folder: Path) -> None:
    assert ArrayFolder(folder / "none").sweep(set()) == 0


def test_an_array_file_is_what_the_ledger_keeps() -> None:
    assert ArrayFile("a", 1, 2) == ArrayFile("a", 1, 2)


@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="only Linux tells how memory is mapped")
def test_scattered_reads_are_announced_for_one_array_of_a_file(tmp_path: Path) -> None:
    folder, wanted = ArrayFolder(tmp_path), np.arange(1 << 16, dtype=np.int32)
    name = folder.write({"rows": wanted, "others": wanted[: 1 << 14]})
    arrays = folder.open(name)
    expect_scattered_reads(arrays["rows"])
    expect_scattered_reads(wanted)  # in memory: nothing to tell
    smaps = Path("/proc/self/smaps").read_text()
    mappings = [part for part in re.split(r"\n(?=[0-9a-f]+-[0-9a-f]+ )", smaps) if name.name in part]
    random = [int(re.findall(r"\nSize: +(\d+) kB", part)[0]) for part in mappings if " rr" in part]
    assert len(mappings) == 2
    assert wanted.nbytes / 1024 <= sum(random) <= wanted.nbytes / 1024 + 8
    assert arrays["rows"].tolist() == wanted.tolist()
