"""CodedLists: vectors in lists around centroids, as 1-bit codes to scan and int8 codes to rescore with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from limner.core.types import Floats, Integers

_QUERY_BITS = 4
"""So finely a query is quantised against the 1-bit codes; with 8 bits a scan is slower and finds no more."""

_SKETCHED = 512
"""So many lists are considered by the 1-bit codes of their centroids before all centroids are read."""

_SKETCH_ERROR = 0.06
"""Twice the error of scores by 1-bit codes, of vectors and queries of length 1; with less, recall falls short."""


class CodedLists:
    """The arrays of `partition_build.build`, read where they lie: opening copies the centroids only.

    The 1-bit codes are those of the difference from the centroid (RaBitQ: Gao and Long, SIGMOD 2024).
    Queries come as `turned` made them. Safe to use from several threads.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        import faiss

        self._codes = np.asarray(arrays["codes"])
        self._scale: Floats = np.asarray(arrays["scale"], np.float32)
        self._left: Floats = np.asarray(arrays["left"], np.float32)
        self._right: Floats = np.asarray(arrays["right"], np.float32)
        self._list_of_row = np.asarray(arrays["list_of_row"])
        self._packed = np.asarray(arrays["lists"])
        lists = faiss.read_InvertedLists(faiss.ZeroCopyIOReader(faiss.swig_ptr(self._packed), self._packed.size), 0)
        centroids = np.asarray(arrays["centroids"], np.float32)
        quantizer = faiss.IndexFlatL2(centroids.shape[1])
        quantizer.add(centroids)
        # The same memory as that of the quantizer.
        self._centroids: Floats = faiss.rev_swig_ptr(quantizer.get_xb(), centroids.size).reshape(centroids.shape)
        self._index = faiss.IndexIVFRaBitQ(quantizer, quantizer.d, len(centroids), faiss.METRIC_INNER_PRODUCT, False)
        self._index.replace_invlists(lists)
        self._index.is_trained = True
        self._index.ntotal = len(self)
        self._owned = (quantizer, lists)  # the index only points to them
        self._sketch = faiss.IndexRaBitQ(quantizer.d, faiss.METRIC_INNER_PRODUCT)
        self._sketch.train(centroids)
        self._sketch.add(centroids)
        self.sizes: Integers = np.array([lists.list_size(number) for number in range(len(centroids))])

    def __len__(self) -> int:
        return len(self._codes)

    def turned(self, queries: Floats) -> Floats:
        """Queries (q, d) at length 1 (or 0), in the coordinates of the codes."""
        lengths = np.linalg.norm(queries, axis=1, keepdims=True)
        return turn((queries / np.where(lengths > 0, lengths, 1)).astype(np.float32), self._left, self._right)

    def lists_of(self, rows: Integers) -> Integers:
        return self._list_of_row[rows].astype(np.int64)

    def sizes_of(self, allowed: npt.NDArray[np.bool_]) -> Integers:
        """How many rows of each list are allowed; `allowed` (n,)."""
        if 2 * np.count_nonzero(allowed) < len(self):
            return np.bincount(self._list_of_row[allowed], minlength=len(self.sizes))
        return self.sizes - np.bincount(self._list_of_row[~allowed], minlength=len(self.sizes))

    def coarse(self, queries: Floats, sizes: Integers) -> Floats:
        """The dot product of each query with each centroid, (q, lists); -inf where a list has no row to find."""
        scores: Floats = queries @ self._centroids.T
        scores[:, sizes == 0] = -np.inf
        return scores

    def near(self, query: Floats, gap: float, needed: int) -> Integers | None:
        """`near_lists` of one query (d,), by reading the 1-bit codes of all centroids and few centroids themselves.

        With thousands of centroids that is much less to read, but None if there may be more lists within the gap.
        """
        import faiss

        count = min(_SKETCHED, len(self.sizes))
        rough, lists = self._sketch.search(query[None], count, params=faiss.RaBitQSearchParameters(qb=_QUERY_BITS))
        within = int(np.searchsorted(-rough[0], _SKETCH_ERROR + gap - rough[0, 0]))
        if within == count:
            return None
        chosen: Integers = lists[0, :within]
        scores: Floats = self._centroids[chosen] @ query
        scores[self.sizes[chosen] == 0] = -np.inf
        order = near_lists(scores, gap, self.sizes[chosen], needed)
        return chosen[order] if self.sizes[chosen[order]].sum() >= needed else None

    def scan(
        self, queries: Floats, lists: Integers, count: int, allowed: npt.NDArray[np.bool_] | None = None
    ) -> Integers:
        """The `count` best rows of each query by 1-bit code, best first, -1 where there are no more.

        `lists` (q, m) int64 are those to read for each query (q, d), -1 for none.
        """
        import faiss

        queries, lists = np.ascontiguousarray(queries), np.ascontiguousarray(lists)
        similarities, rows = np.empty((len(queries), count), np.float32), np.empty((len(queries), count), np.int64)
        parameters = faiss.IVFRaBitQSearchParameters()
        parameters.nprobe, parameters.qb = lists.shape[1], _QUERY_BITS
        if allowed is not None:
            bits = np.packbits(allowed, bitorder="little")
            parameters.sel = faiss.IDSelectorBitmap(bits)
        unused = np.zeros(lists.shape, np.float32)  # codes of differences need no score of their centroid here
        pointers = [faiss.swig_ptr(array) for array in (lists, unused, similarities, rows)]
        self._index.search_preassigned_c(len(queries), faiss.swig_ptr(queries), count, *pointers, False, parameters)
        return rows

    def rescored(self, query: Floats, rows: Integers) -> Floats:
        """The dot products of a query (d,) and rows (m,), by their int8 codes."""
        scores: Floats = self._codes[rows].astype(np.float32) @ (query * self._scale)
        return scores


def near_lists(scores: Floats, gap: float, sizes: Integers, needed: int) -> Integers:
    """The lists to read, best first: all whose score is within `gap` of the best, and enough to hold `needed` rows."""
    lists = np.flatnonzero(scores >= scores.max() - gap)
    if sizes[lists].sum() >= needed:
        return lists[np.argsort(-scores[lists], kind="stable")]
    order = np.argsort(-scores, kind="stable")
    held = np.cumsum(sizes[order])
    enough = int(np.searchsorted(held, min(needed, held[-1]))) + 1
    return order[: max(enough, len(lists))]


def turn(vectors: Floats, left: Floats, right: Floats) -> Floats:
    """Vectors (n, a * b) turned by the Kronecker product of two rotations, (a, a) and (b, b).

    It spreads a vector over all coordinates, as 1-bit codes need it, and reads a hundredth of a full rotation.
    """
    turned = left @ vectors.reshape(len(vectors), len(left), len(right)) @ right
    return np.asarray(turned, np.float32).reshape(vectors.shape)
