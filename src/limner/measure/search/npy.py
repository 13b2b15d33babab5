"""A .npy file that is written block by block, so that what it holds never lies in memory."""

from __future__ import annotations

import math
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt


class NpyWriter:
    """Appends rows to a .npy file; the number of rows is written into its header at the end.

    NumPy leaves room in a header for the first axis to grow, so the header keeps its length.
    """

    def __init__(self, path: Path, dtype: npt.DTypeLike, row: tuple[int, ...] = ()) -> None:
        self.rows = 0
        self._dtype, self._row = np.dtype(dtype), row
        self._file = path.open("wb")
        self._write_header()

    def append(self, block: npt.NDArray[Any]) -> None:
        """`block`: (n, *row), converted to the file's type."""
        assert block.shape[1:] == self._row
        self._file.write(np.ascontiguousarray(block, self._dtype).data)
        self.rows += len(block)

    def __enter__(self) -> NpyWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        start = self._file.tell() - self.rows * math.prod(self._row) * self._dtype.itemsize
        self._file.seek(0)
        self._write_header()
        assert self._file.tell() == start or error is not None
        self._file.close()

    def _write_header(self) -> None:
        header = {"descr": self._dtype.str, "fortran_order": False, "shape": (self.rows, *self._row)}
        np.lib.format.write_array_header_1_0(self._file, header)
