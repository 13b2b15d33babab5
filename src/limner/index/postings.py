"""Postings: an immutable inverted index with 8-bit impacts, exact top-k and a few dozen bytes a short document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import CollectionError, InputError
from limner.core.types import Floats, Integers, Sparse
from limner.index import posting_kernel
from limner.index.inversion import invert

_WEIGHT_LIMIT = (1 << 16) - 1


class Postings:
    """The inverted lists of n documents, opened from the arrays that `build` gives (which may be memory-mapped).

    A weight is kept as its impact, round(weight / ceiling x 255), 1 to 255. The weights of a query are rounded to
    integers of 16 bits and their sign in the same way, the largest to 65,535 (less if the query is so long that a
    score would not fit into 31 bits). Scores are sums of integers, so they do not depend on the order of summation:
    `search` equals brute force over the impacts, to the last bit. They are given in units of the original dot
    product. Documents are kept in an order of their own (ordering.py); rows are those of `build`.
    Safe to use from several threads. Damaged arrays raise CollectionError, here or in a search, or give wrong
    answers, no more.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
        self._terms, self._first, self._offset = arrays["terms"], arrays["first"], arrays["offset"]
        self._lists = posting_kernel.Lists(**{name: arrays[name] for name in posting_kernel.Lists.__slots__})
        if not (self._lists.fit() and len(self._first) == len(self._offset) == len(self._terms) + 1):
            raise _damaged()
        self._unit = float(arrays["ceiling"][0]) / 255
        self.bytes = sum(array.nbytes for array in arrays.values())
        """Of all arrays together."""

    def __len__(self) -> int:
        return len(self._lists.rows)

    @staticmethod
    def build(documents: Sparse, ceiling: float) -> dict[str, npt.NDArray[Any]]:
        """The arrays of an index of these documents: weights >= 0, each term once in a document.

        A weight of `ceiling` or more has the impact 255; a weight of 0 or less is no posting.
        Terms are numbers from 0 to 2^40 (of a vocabulary, or hashes). A million documents of 20 terms take about
        12 s and 0.4 GB besides the documents, of 119 terms 50 s and 0.7 GB.
        Raises InputError for what does not fit this.
        """
        return invert(documents, ceiling)

    def search(
        self, terms: Integers, weights: Floats, k: int, allowed: npt.NDArray[np.bool_] | None = None
    ) -> tuple[Integers, Floats]:
        """(rows, scores) of the k documents of highest score, best first, ties to the smaller row.

        `terms` (t,) and `weights` (t,) are the query; a negative weight ("-word") counts against a document.
        An answer holds at least one term of positive weight; fewer than k are given only if fewer (of the
        `allowed` (n,), if given) do.
        """
        if k < 1:
            raise InputError(f"k is {k}; it must be at least 1")
        if allowed is not None and allowed.shape != (len(self),):
            raise InputError(f"allowed has the shape {allowed.shape}; it must be ({len(self)},)")
        query, unit, _ = self._query(terms, weights)
        if not np.any(query.weights > 0):
            return np.empty(0, np.int64), np.empty(0, np.float32)
        with _Damage():
            rows, scores = posting_kernel.search(self._lists, query, min(k, len(self)), allowed)
        return rows, (scores * unit).astype(np.float32)

    def score(self, terms: Integers, weights: Floats, rows: Integers) -> Floats:
        """The scores of these rows, the same as `search` gives; 0 for a row without any of the terms."""
        parts, unit = self._parts(terms, weights, rows)
        scores: Floats = (parts.sum(axis=0) * unit).astype(np.float32)
        return scores

    def parts(self, terms: Integers, weights: Floats, rows: Integers) -> Floats:
        """What each term of the query gives each of these rows: (t, len(rows)); columns add up to `score`."""
        parts, unit = self._parts(terms, weights, rows)
        return (parts * unit).astype(np.float32)

    def frequency(self, terms: Integers) -> Integers:
        """How many documents hold each term."""
        at, known = self._find(np.asarray(terms, np.int64))
        total = np.zeros(len(at), np.int64)
        for i in np.flatnonzero(known):
            total[i] = self._lists.counts[self._first[at[i]] : self._first[at[i] + 1]].sum(dtype=np.int64)
        return total

    def _parts(self, terms: Integers, weights: Floats, rows: Integers) -> tuple[Integers, float]:
        rows = np.asarray(rows, np.int64)
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise InputError(f"rows: {rows.min()} to {rows.max()}; there are {len(self)} documents")
        query, unit, place = self._query(terms, weights)
        out = np.zeros((len(terms), len(rows)), np.int64)
        if len(place) and len(rows):
            wanted, column = np.unique(rows, return_inverse=True)
            with _Damage():
                out[place] = posting_kernel.parts(self._lists, query, wanted)[:, column]
        return out, unit

    def _query(self, terms: Integers, weights: Floats) -> tuple[posting_kernel.Query, float, Integers]:
        """The query as integers, what one of them is worth, and which of `terms` each of its terms was."""
        terms, exact = np.asarray(terms, np.int64), np.asarray(weights, np.float64)
        if terms.shape != exact.shape or terms.ndim != 1 or not np.all(np.isfinite(exact)):
            raise InputError("the query needs one finite weight for each of its terms")
        rounded, step = in_steps(exact)
        at, known = self._find(terms)
        place = np.flatnonzero(known & (rounded != 0))
        # What gives much and costs little comes first: the kernel adds those up and looks up the others.
        cost = np.maximum(self._offset[at[place] + 1] - self._offset[at[place]], 1)
        place = place[np.argsort(np.where(rounded[place] > 0, -rounded[place] / cost, 1), kind="stable")]
        at = at[place]
        query = posting_kernel.Query(self._first[at], self._first[at + 1], self._offset[at], rounded[place])
        return query, self._unit * step, place

    def _find(self, terms: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
        """Where each term stands in the dictionary, and whether it does."""
        if not len(self._terms):
            return np.zeros(len(terms), np.int64), np.zeros(len(terms), np.bool_)
        at = np.minimum(np.searchsorted(self._terms, terms), len(self._terms) - 1)
        return at, self._terms[at] == terms


def in_steps(weights: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.int32], float]:
    """The weights of a query (t,) as integers, and what one of them is worth. Raises InputError for too many."""
    largest, total = np.abs(weights).max(initial=0), np.abs(weights).sum()
    if largest == 0:
        return np.zeros(len(weights), np.int32), 0.0
    # Each weight that is not 0 stays so; the limit leaves room for that and for the rounding.
    scale = min(_WEIGHT_LIMIT / largest, (posting_kernel.SCORE_LIMIT - 2 * len(weights)) / total)
    if scale * largest < 1:
        raise InputError(f"a query of {len(weights)} terms is too long")
    rounded = np.rint(weights * scale)
    return np.where(rounded == 0, np.sign(weights), rounded).astype(np.int32), float(1 / scale)


class _Damage:
    """Turns what goes wrong inside into the one error that a reader of a damaged file gets."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (ValueError, IndexError)):
            raise _damaged() from error


def _damaged() -> CollectionError:
    return CollectionError("the inverted index is damaged; build it again")
