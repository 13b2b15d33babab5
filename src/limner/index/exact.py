"""Exact nearest neighbours by blocked matrix products over memory-mapped vectors.

A matrix product in float32 picks the candidates, with a margin for its rounding, and their scores are then
computed row by row in float64. So equal vectors have equal scores, always, however they are spread over blocks,
and ties go to the smaller id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from limner.core.selection import Selection
from limner.core.types import Floats, Integers
from limner.index.vectors import Block

QUERIES = 256
"""So many queries share one pass over the vectors."""

_BLOCK_ROWS = 1 << 15
_BLOCK_SCORES = 1 << 22
"""So many scores are held at a time (16 MB), whatever the number of vectors and queries."""

_GATHER_BELOW = 0.25
"""Where fewer rows of a stretch are wanted than this share, copying those out beats scoring them all."""

_RESCORED_NUMBERS = 1 << 20


class Best:
    """The k best rows of each query so far."""

    def __init__(self, queries: Floats, k: int) -> None:
        self.most_rows = min(_BLOCK_ROWS, _BLOCK_SCORES // len(queries))
        self._queries, self._k = queries, k
        self._exact_queries = queries.astype(np.float64)
        self._lengths = np.linalg.norm(self._exact_queries, axis=1)
        self._floor = np.full(len(queries), -np.inf)
        # Parallel arrays, one entry a candidate, ordered by query, then best first.
        self._owner = np.empty(0, np.int64)
        self._ids = np.empty(0, np.int64)
        self._scores = np.empty(0, np.float32)

    def offer(self, ids: Integers, vectors: Floats, rows: Integers | None, norm: float) -> None:
        """Consider rows (all, if None) of `vectors` (n, d), none longer than `norm`, of the items `ids` (n,)."""
        rough = self._queries @ vectors.T
        if rows is not None:
            rough = rough[:, rows]
        # In float32 a dot product of d terms, summed in any order, is off by less than d/2^24 of |q||v|;
        # the constant covers numbers too small for a relative error. Twice: this row and the k-th may both be off.
        margin = 2 * ((vectors.shape[1] + 4) * 2.0**-24 * norm * self._lengths + 1e-37)
        passing = rough >= (self._floor - margin).astype(np.float32)[:, None]
        if rough.shape[1] > self._k and np.count_nonzero(passing) > 2 * self._k * len(self._queries):
            kth = np.partition(rough, -self._k, axis=1)[:, -self._k]
            passing &= rough >= (kth - margin).astype(np.float32)[:, None]
        owner, column = np.nonzero(passing)
        if len(owner):
            row = column if rows is None else rows[column]
            self._merge(owner, ids[row], self._score(owner, vectors, row))

    def consider(self, query: int, ids: Integers, vectors: Floats) -> None:
        """Consider m items for one query: ids (m,), vectors (m, d)."""
        owner = np.full(len(ids), query)
        self._merge(owner, ids, self._score(owner, vectors, np.arange(len(ids))))

    def take(self) -> list[tuple[Integers, Floats]]:
        """(ids, scores) of each query, best first."""
        ends = np.cumsum(np.bincount(self._owner, minlength=len(self._queries)))[:-1]
        return list(zip(np.split(self._ids, ends), np.split(self._scores, ends), strict=True))

    def _score(self, owner: Integers, vectors: Floats, row: Integers) -> Floats:
        scores = np.empty(len(row), np.float32)
        step = max(1, _RESCORED_NUMBERS // vectors.shape[1])
        for start in range(0, len(row), step):
            part = slice(start, start + step)
            # A sum along the last axis adds up each row in one order, whatever rows stand around it.
            scores[part] = (self._exact_queries[owner[part]] * vectors[row[part]]).sum(axis=1)
        return scores

    def _merge(self, owner: Integers, ids: Integers, scores: Floats) -> None:
        owner = np.concatenate([self._owner, owner])
        ids = np.concatenate([self._ids, ids])
        scores = np.concatenate([self._scores, scores])
        order = np.lexsort((ids, -scores, owner))
        owner, ids, scores = owner[order], ids[order], scores[order]
        rank = np.arange(len(owner)) - np.searchsorted(owner, owner)
        last = rank == self._k - 1
        self._floor[owner[last]] = scores[last]
        kept = rank < self._k
        self._owner, self._ids, self._scores = owner[kept], ids[kept], scores[kept]


def scan(best: Best, blocks: Sequence[Block], among: Selection | None) -> None:
    """Offer every live row of the blocks, or those that are selected."""
    for block in blocks:
        for ids, vectors, rows in _stretches(block, among, best.most_rows):
            best.offer(ids, vectors, rows, block.norm)


def _stretches(
    block: Block, among: Selection | None, most_rows: int
) -> Iterator[tuple[Integers, Floats, Integers | None]]:
    """The rows of a block that may be found, in pieces: ids (n,), vectors (n, d), which of these n (None: all)."""
    eligible = block.rows(among)
    for start in range(0, len(block.keys), most_rows):
        stretch = slice(start, start + most_rows)
        ids, vectors = block.keys[stretch], block.vectors[stretch]
        if eligible is None:
            yield ids, vectors, None
            continue
        first, end = np.searchsorted(eligible, (start, start + len(ids)))
        rows = eligible[first:end] - start
        if len(rows) >= _GATHER_BELOW * len(ids):
            yield ids, vectors, rows
        elif len(rows):
            yield ids[rows], vectors[rows], None
