"""A folder of array files: named arrays in one immutable safetensors file each, written whole or not at all.

The format is that of safetensors (eight bytes of length, a JSON header, the arrays one after another), so any
reader of it will do; the arrays are ordered so that each begins at a multiple of its item size and can be mapped.
"""

from __future__ import annotations

import errno
import io
import json
import math
import mmap
import os
import secrets
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from limner.core.errors import CollectionError, StorageError

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = Mapping[str, Array]

_SUFFIX = ".safetensors"
_NAMES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip
_DTYPES = {name: np.dtype(text) for name, text in _NAMES.items()}
_ALIGNED = 64


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """What the ledger keeps about a file."""

    name: str
    bytes: int
    checksum: int
    """CRC-32 of the whole file."""


@dataclass(frozen=True, slots=True)
class Stream:
    """An array that comes in chunks along its first axis, for what is too large to be held."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    chunks: Iterable[Array]


class ArrayFolder:
    """Writes, opens, checks and sweeps array files. Which of them count is for the ledger to say."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def write(self, arrays: Mapping[str, Array | Stream]) -> ArrayFile:
        """Write named arrays as one new file.

        When this returns the file is safe on disk under a name that no other ever had, but nobody
        knows it until the ledger names it. Raises StorageError; ValueError where a stream is not as long as it says.
        """
        name = f"{secrets.token_hex(8)}{_SUFFIX}"
        unfinished = self.path / f"{name}.part"
        with storage_errors(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                with open(unfinished, "xb") as file:
                    checksum = _write(file, {name: _as_stream(array) for name, array in arrays.items()})
                    file.flush()
                    os.fsync(file.fileno())
                    size = file.tell()
                os.replace(unfinished, self.path / name)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise
            _sync_folder(self.path)
        return ArrayFile(name, size, checksum)

    def open(self, file: ArrayFile) -> dict[str, Array]:
        """The arrays, mapped into memory and read-only.

        Raises FileNotFoundError if it has gone, CollectionError if its size or header is wrong.
        """
        path = self.path / file.name
        if path.stat().st_size != file.bytes:
            raise damaged(path, f"{path.stat().st_size} bytes instead of {file.bytes}")
        whole = np.memmap(path, np.uint8, "r")
        try:
            start = 8 + int.from_bytes(whole[:8].tobytes(), "little")
            header = json.loads(whole[8:start].tobytes())
            return {name: _view(whole[start:], **entry) for name, entry in header.items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise damaged(path, "its header is wrong") from error

    def verify(self, file: ArrayFile) -> None:
        """Read the whole file and compare its checksum. Raises CollectionError."""
        path, checksum = self.path / file.name, 0
        try:
            with open(path, "rb") as opened:
                while chunk := opened.read(1 << 22):
                    checksum = zlib.crc32(chunk, checksum)
        except OSError as error:
            raise damaged(path, (error.strerror or "unreadable").lower()) from error
        if checksum != file.checksum:
            raise damaged(path, "its checksum is wrong")

    def sweep(self, keep: Collection[str]) -> int:
        """Delete the files that are not in `keep`: left by a crash or replaced. Only for the one writer.

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


def expect_scattered_reads(array: Array) -> None:
    """Tell the system that rows of this memory-mapped array will be read here and there.

    It then reads what is asked for and not the neighbourhood, too, which counts where memory is short.
    """
    owner: Any = array
    while owner is not None and not isinstance(owner, mmap.mmap):
        owner = owner.base
    if owner is None or not hasattr(mmap, "MADV_RANDOM"):
        return
    start = array.ctypes.data - np.frombuffer(owner, np.uint8).ctypes.data
    start, end = start - start % mmap.PAGESIZE, start + array.nbytes
    owner.madvise(mmap.MADV_RANDOM, start, end - start)


def damaged(path: Path, what: str) -> CollectionError:
    """The error for a file that cannot be trusted."""
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


def _as_stream(array: Array | Stream) -> Stream:
    return array if isinstance(array, Stream) else Stream(array.dtype, array.shape, [array])


def _write(file: io.BufferedWriter, arrays: Mapping[str, Stream]) -> int:
    """Header and arrays; returns the checksum."""
    # Falling item sizes keep each array aligned; safetensors allows no gaps between them.
    ordered = sorted(arrays.items(), key=lambda pair: -pair[1].dtype.itemsize)
    header: dict[str, Any] = {}
    end = 0
    for name, array in ordered:
        kind = next(kind for kind, dtype in _DTYPES.items() if dtype == array.dtype)
        start, end = end, end + array.dtype.itemsize * math.prod(array.shape)
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % _ALIGNED)
    opening = len(text).to_bytes(8, "little") + text
    file.write(opening)
    checksum = zlib.crc32(opening)
    for name, array in ordered:
        written = 0
        for chunk in array.chunks:
            content = np.ascontiguousarray(chunk, array.dtype).reshape(-1).view(np.uint8).data
            file.write(content)
            checksum = zlib.crc32(content, checksum)
            written += len(content)
        start, end = header[name]["data_offsets"]
        if written != end - start:
            raise ValueError(f"{name}: {written} bytes given, {end - start} announced")
    return checksum


def _view(content: Array, dtype: str, shape: list[int], data_offsets: list[int]) -> Array:
    start, end = data_offsets
    return np.asarray(content[start:end]).view(_DTYPES[dtype]).reshape(shape)


def _sync_folder(path: Path) -> None:
    if os.name == "nt":
        return  # Windows cannot open a folder; its file systems journal the name with the file
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
