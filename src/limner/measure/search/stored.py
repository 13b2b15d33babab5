"""Representations of any kind as .npy files: written in blocks, opened as memory maps."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.types import Dense, Representation, Sparse, Tokens
from limner.measure.search.npy import NpyWriter


def write_representation(folder: Path, name: str, blocks: Iterable[Representation]) -> None:
    """`NAME.npy` and, of ragged kinds, `NAME.indptr.npy` and what stands beside it.

    Indices are kept as int32 and tokens as float16, half of what they take in memory.
    """
    with ExitStack() as stack:
        files = dict[str, NpyWriter]()

        def append(part: str, array: npt.NDArray[Any], dtype: npt.DTypeLike) -> None:
            if part not in files:
                path = folder / ".".join(filter(None, (name, part, "npy")))
                files[part] = stack.enter_context(NpyWriter(path, dtype, array.shape[1:]))
            files[part].append(array)

        end = 0
        for block in blocks:
            if isinstance(block, Dense):
                append("", block.values, np.float32)
                continue
            starts = block.indptr if isinstance(block, Sparse) else block.offsets
            append("indptr", starts[1:] + end if "indptr" in files else starts, np.int64)
            end += int(starts[-1])
            if isinstance(block, Sparse):
                append("", block.values, np.float32)
                append("indices", block.indices, np.int32)
                (folder / f"{name}.vocabulary").write_text(str(block.vocabulary_size))
            else:
                append("", block.values, np.float16)


def open_representation(folder: Path, name: str) -> Representation:
    """What `write_representation` wrote, memory-mapped."""

    def mapped(part: str) -> npt.NDArray[Any]:
        array: npt.NDArray[Any] = np.load(folder / ".".join(filter(None, (name, part, "npy"))), mmap_mode="r")
        return array

    if not (folder / f"{name}.indptr.npy").exists():
        return Dense(mapped(""))
    if (folder / f"{name}.vocabulary").exists():
        size = int((folder / f"{name}.vocabulary").read_text())
        return Sparse(mapped("indptr"), mapped("indices"), mapped(""), size)
    return Tokens(mapped("indptr"), mapped(""))
