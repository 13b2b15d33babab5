"""CodedLists: vectors in lists around centroids, as 1-bit codes to scan and int8 codes to rescore with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import CollectionError
from limner.core.types import Floats, Integers
from limner.index import code_kernel
from limner.index.arrays import expect_scattered_reads
from limner.index.code_kernel import GROUP, Lists, Query


class CodedLists:
    """The arrays of `partition_build.build`, read where they lie: opening copies nothing.

    The 1-bit codes are those of the difference from the centroid (RaBitQ: Gao and Long, SIGMOD 2024). Queries are
    what `quantised` makes of them. Safe to use from several threads. Damaged arrays raise CollectionError, here or in
    a scan, or give wrong answers, no more.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._codes, self._centroids, self._scale = arrays["codes"], arrays["centroids"], arrays["scale"]
        self._left, self._right = arrays["left"], arrays["right"]
        self._lists = Lists(*(arrays[name] for name in Lists.__slots__))
        expect_scattered_reads(self._codes)
        if not len(self._lists.starts) == len(self._centroids) + 1 > 1 or self._lists.starts[-1] != len(self):
            raise _damaged()

    def __len__(self) -> int:
        return len(self._codes)

    def turned(self, vectors: Floats) -> Floats:
        """Vectors (q, d) at length 1 (or 0), in the coordinates of the codes."""
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        return turn((vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32), self._left, self._right)

    def quantised(self, turned: Floats) -> list[Query]:
        """What `turned` made of vectors (q, d), as the codes are asked."""
        return [code_kernel.quantised(query, self._scale) for query in turned]

    def list_scores(self, query: Query) -> Floats:
        """The dot product of the query with each centroid, (lists,)."""
        return code_kernel.dots(self._centroids, query)

    def scan(
        self, query: Query, scores: Floats, gap: float, count: int, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Integers, Floats]:
        """See `code_kernel.scan`; `scores` are those of `list_scores`."""
        try:
            return code_kernel.scan(self._lists, query, scores, gap, count, allowed)
        except (ValueError, IndexError) as error:
            raise _damaged() from error

    def rescored(self, query: Query, rows: Integers) -> Floats:
        """The dot products of the query and rows (m,), by their int8 codes."""
        return code_kernel.dots(self._codes, query, rows)


def turn(vectors: Floats, left: Floats, right: Floats) -> Floats:
    """Vectors (n, a * b) turned by the Kronecker product of two rotations, (a, a) and (b, b).

    It spreads a vector over all coordinates, as 1-bit codes need it, and reads a hundredth of a full rotation.
    """
    turned = left @ vectors.reshape(len(vectors), len(left), len(right)) @ right
    return np.asarray(turned, np.float32).reshape(vectors.shape)


def packed(positive: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint64]:
    """Signs (n, d) as bits in words of 64, (n, words)."""
    size = positive.shape[1]
    wide = np.pad(positive, ((0, 0), (0, -size % 64)))
    words: npt.NDArray[np.uint64] = np.packbits(wide, axis=1, bitorder="little").view("<u8")
    return words


def in_lists(bits: npt.NDArray[np.uint64], factors: Floats, list_of_row: Integers, lists: int) -> dict[str, Any]:
    """The arrays of `Lists`, of codes in the order of rows: bits (n, words), factors (n,), list_of_row (n,)."""
    count, words = bits.shape
    rows = np.zeros(-(-count // GROUP) * GROUP, np.uint32)
    rows[:count] = np.argsort(list_of_row, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(list_of_row, minlength=lists))])
    grouped = np.empty((len(rows) // GROUP, words, GROUP), np.uint64)
    for word in range(words):
        grouped[:, word] = bits[rows, word].reshape(-1, GROUP)
    return {"bits": grouped, "factors": factors[rows], "rows": rows, "starts": starts.astype(np.int64)}


def _damaged() -> CollectionError:
    return CollectionError("the partition is damaged; build it again")
