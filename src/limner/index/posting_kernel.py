"""The two loops of an inverted index: the compiled ones where the C extension was built, the same in numpy elsewhere.

Both give the same answers to the last bit. The extension is missing where limner was installed without a C
compiler; a search of a million short documents then takes a tenth of a second instead of half a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.types import Integers
from limner.index.posting_lists import BLOCK, PADDING, Bytes, decode, list_bytes

compiled: ModuleType | None
"""The C extension, or None."""
try:
    from limner.index import _posting_kernel as compiled  # type: ignore[attr-defined,no-redef,unused-ignore]
except ImportError:
    compiled = None

PAGE = 1 << 16
SCORE_LIMIT = (1 << 30) // 255
"""The absolute weights of a query add up to this at most, so that every score fits into 31 bits."""

_UNTOUCHED = np.iinfo(np.int64).min
_SELECTIVE = 100
"""Where fewer than one row in so many is allowed, blocks without any are left out; else only candidates are checked."""

Allowed = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """The posting lists of an index: entries ordered by term, then by block; documents by block, there by row."""

    blocks: npt.NDArray[np.uint16]
    counts: npt.NDArray[np.uint16]
    maxima: Bytes
    data: Bytes
    rows: npt.NDArray[np.uint16]
    """(documents,): the lower 16 bits of each document's row."""
    pages: npt.NDArray[np.uint16]
    """(blocks, pages): where, in the block, the rows of each page of 65,536 rows start."""

    def fit(self) -> bool:
        """Whether the arrays have the lengths that go together."""
        shape = -(-len(self.rows) // BLOCK), -(-len(self.rows) // PAGE)
        return self.pages.shape == shape and len(self.blocks) == len(self.counts) == len(self.maxima)

    def buffers(self) -> tuple[npt.NDArray[Any], ...]:
        return self.blocks, self.counts, self.maxima, self.data, self.rows, self.pages

    def full_rows(self) -> Integers:
        """(documents,): the row of each document."""
        length = np.full(len(self.pages), BLOCK)
        length[-1:] = len(self.rows) - BLOCK * (len(self.pages) - 1)
        ends = np.concatenate([self.pages[:, 1:], length[:, None]], axis=1)
        page = np.repeat(np.tile(np.arange(self.pages.shape[1]), len(self.pages)), (ends - self.pages).ravel())
        return page * PAGE + self.rows


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """The terms of a query that occur in the index, those of positive weight first."""

    first: Integers
    """(t,): the term's first entry."""
    last: Integers
    """(t,): the entry after its last."""
    offset: Integers
    """(t,): where its first list starts."""
    weights: npt.NDArray[np.int32]

    def buffers(self) -> tuple[npt.NDArray[Any], ...]:
        return self.first, self.last, self.offset, self.weights


def search(lists: Lists, query: Query, k: int, allowed: Allowed | None) -> tuple[Integers, Integers]:
    """(rows, scores) of the k best documents that hold a term of positive weight; ties to the smaller row.

    Raises ValueError if the lists are damaged and that is noticed.
    """
    if compiled is None:
        return _search(lists, query, k, allowed)
    rows, scores = np.empty(k, np.int64), np.empty(k, np.int32)
    selective = allowed is not None and np.count_nonzero(allowed) * _SELECTIVE < len(allowed)
    found = compiled.search(*lists.buffers(), *query.buffers(), allowed, rows, scores, selective)
    return rows[:found], scores[:found].astype(np.int64)


def parts(lists: Lists, query: Query, rows: Integers) -> Integers:
    """What each term gives each of these rows, which ascend, each once: (t, len(rows))."""
    if compiled is None:
        return _parts(lists, query, rows)
    out = np.zeros((len(query.weights), len(rows)), np.int32)
    marked = np.zeros(len(lists.rows), np.bool_)
    marked[rows] = True
    compiled.parts(*lists.buffers(), *query.buffers(), marked, rows, out)
    return out.astype(np.int64)


def _search(lists: Lists, query: Query, k: int, allowed: Allowed | None) -> tuple[Integers, Integers]:
    scores = np.zeros(len(lists.rows), np.int64)
    touched = np.zeros(len(lists.rows), np.bool_)
    for term, places, impacts in _postings(lists, query):
        scores[places] += query.weights[term] * impacts
        if query.weights[term] > 0:
            touched[places] = True
    rows = lists.full_rows()
    if allowed is not None:
        touched &= allowed[rows]
    found = np.flatnonzero(touched)
    rows, scores = rows[found], scores[found]
    if k < len(scores):
        good = scores >= np.partition(scores, len(scores) - k)[len(scores) - k]
        rows, scores = rows[good], scores[good]
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def _parts(lists: Lists, query: Query, rows: Integers) -> Integers:
    places = np.empty(len(lists.rows), np.int64)
    places[lists.full_rows()] = np.arange(len(places))
    out = np.zeros((len(query.weights), len(rows)), np.int64)
    scores = np.zeros(len(places), np.int64)
    for term, at, impacts in _postings(lists, query):
        scores[at] = query.weights[term] * impacts
        out[term] = scores[places[rows]]
        scores[at] = 0
    return out


def _postings(lists: Lists, query: Query) -> Iterator[tuple[int, Integers, Integers]]:
    """Of each term: its number, the places of its documents, their impacts."""
    for term, (first, last, offset) in enumerate(zip(query.first, query.last, query.offset, strict=True)):
        counts, maxima = lists.counts[first:last].astype(np.int64), lists.maxima[first:last].astype(np.int64)
        if counts.max(initial=0) > BLOCK or offset + list_bytes(counts, maxima).sum() + PADDING > len(lists.data):
            raise ValueError("the posting lists are damaged")
        owner, ids, impacts = decode(lists.data[offset:], counts, maxima)
        yield term, lists.blocks[first:last].astype(np.int64)[owner] * BLOCK + ids, impacts
