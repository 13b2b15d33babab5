"""A folder of shards: immutable .npy files of float32 vectors, each written whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import secrets
import zlib
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from limner.core.errors import CollectionError, StorageError
from limner.core.types import Floats

_SUFFIX = ".npy"


@dataclass(frozen=True, slots=True)
class ShardFile:
    """What the ledger keeps about a file."""

    name: str
    bytes: int
    checksum: int
    """CRC-32 of the whole file."""
    norm: float
    """Euclidean length of its longest vector."""


class ShardFolder:
    """Writes, opens, checks and sweeps shard files. Which of them count is for the ledger to say."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def write(self, chunks: Iterable[Floats], rows: int, dimension: int) -> ShardFile:
        """Write `chunks`, (n_i, dimension) float32 with `rows` rows in all, as one new file.

        When this returns the file is safe on disk under a name that no other ever had, but nobody
        knows it until the ledger names it. Raises StorageError.
        """
        name = f"{secrets.token_hex(8)}{_SUFFIX}"
        unfinished = self.path / f"{name}.part"
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                with open(unfinished, "xb") as file:
                    checksum, norm = _write_array(file, chunks, rows, dimension)
                    file.flush()
                    os.fsync(file.fileno())
                    size = file.tell()
                os.replace(unfinished, self.path / name)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
            _sync_folder(self.path)
        return ShardFile(name, size, checksum, norm)

    def open(self, shard: ShardFile, rows: int, dimension: int) -> Floats:
        """The vectors (rows, dimension), mapped into memory and read-only.

        Raises FileNotFoundError if it has gone, CollectionError if its size or header is wrong.
        """
        path = self.path / shard.name
        if path.stat().st_size != shard.bytes:
            raise damaged(path, f"{path.stat().st_size} bytes instead of {shard.bytes}")
        header = _header(rows, dimension)
        with open(path, "rb") as file:
            if file.read(len(header)) != header:
                raise damaged(path, f"its header is not that of float32 {(rows, dimension)}")
        # Not np.load: it parses the header as Python, which before Python 3.12 two threads cannot do at once.
        return np.asarray(np.memmap(path, "<f4", "r", len(header), (rows, dimension)))

    def verify(self, shard: ShardFile) -> None:
        """Read the whole file and compare its checksum. Raises CollectionError."""
        path, checksum = self.path / shard.name, 0
        try:
            with open(path, "rb") as file:
                while chunk := file.read(1 << 22):
                    checksum = zlib.crc32(chunk, checksum)
        except OSError as error:
            raise damaged(path, (error.strerror or "unreadable").lower()) from error
        if checksum != shard.checksum:
            raise damaged(path, "its checksum is wrong")

    def sweep(self, keep: Collection[str]) -> int:
        """Delete the files that are not in `keep`: left by a crash or replaced by a merge. Only for the one writer.

        A reader that still maps one of them goes on reading it. Returns how many were deleted.
        """
        swept = 0
        for path in list(self.path.glob(f"*{_SUFFIX}*")):
            if path.name not in keep:
                try:
                    path.unlink(missing_ok=True)
                    swept += 1
                except OSError:
                    continue  # Windows keeps a file that is mapped somewhere; the next sweep takes it
        return swept


def damaged(path: Path, what: str) -> CollectionError:
    """The error for a shard that cannot be trusted."""
    return CollectionError(f"{path}: vectors damaged ({what}); make them again with: limner reindex")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into StorageError."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full; free some space" if full else f"cannot be written ({error.strerror}); mend that"
        raise StorageError(f"{path}: {what} and run the command again") from error


def _header(rows: int, dimension: int) -> bytes:
    """The header of a .npy file of version 1.0 that holds (rows, dimension) float32."""
    text = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {dimension}), }}"
    padding = " " * (-(len(text) + 11) % 64)  # the vectors begin at a multiple of 64 bytes
    body = f"{text}{padding}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(body).to_bytes(2, "little") + body


def _write_array(file: io.BufferedWriter, chunks: Iterable[Floats], rows: int, dimension: int) -> tuple[int, float]:
    header = _header(rows, dimension)
    file.write(header)
    checksum, norm, written = zlib.crc32(header), 0.0, 0
    for chunk in chunks:
        content = np.ascontiguousarray(chunk, dtype="<f4")
        file.write(content.data)
        checksum = zlib.crc32(content.data, checksum)
        norm = max(norm, float(np.einsum("ij,ij->i", content, content, dtype=np.float64).max(initial=0.0)) ** 0.5)
        written += len(content)
    if written != rows:
        raise ValueError(f"{written} rows given, {rows} announced")
    return checksum, norm


def _sync_folder(path: Path) -> None:
    if os.name == "nt":
        return  # Windows cannot open a folder; its file systems journal the name with the file
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
