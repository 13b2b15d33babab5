"""Exact nearest neighbours by products over memory-mapped vectors.

Products in float32 pick the candidates, with a margin for their rounding, and their scores are then computed row by
row in float64. So equal vectors have equal scores, always, however they are spread over blocks, and ties go to the
smaller id.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from limner.core.selection import Selection
from limner.core.types import Floats, Integers
from limner.index import products
from limner.index.sketch import Question, Sketch
from limner.index.vectors import Block

QUERIES = 256
"""So many queries share one pass over the vectors."""

_FIRST_ROWS = 256
"""So many rows are looked at first: with nothing found yet, all of them are candidates."""

_GATHERED = 200
"""So few rows are copied out of their blocks to be looked at as one."""

_RESCORED_NUMBERS = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class _Piece:
    """Some rows of a block."""

    block: Block
    rows: Integers | None
    """Those of the block that may be found. None: all."""
    start: int
    """The first to look at, as a place in `rows`; `stop` is the one after the last."""
    stop: int


class Best:
    """The k best rows of each query so far. Several threads may add to it."""

    def __init__(self, queries: Floats, k: int) -> None:
        self.count = len(queries)
        self._queries, self._k = np.ascontiguousarray(queries), k
        self._exact_queries = queries.astype(np.float64)
        self._lengths = np.linalg.norm(self._exact_queries, axis=1)
        self._floor = np.full(len(queries), -np.inf)
        self._lock = threading.Lock()
        # Parallel arrays, one entry a candidate, ordered by query, then best first.
        self._owner = np.empty(0, np.int64)
        self._ids = np.empty(0, np.int64)
        self._scores = np.empty(0, np.float32)

    def look(self, piece: _Piece) -> None:
        """Consider these rows for all queries."""
        block, start = piece.block, piece.start
        # Twice: this row and the k-th may both be off.
        margin = 2 * products.margins(self._lengths, block.norm, self._queries.shape[1])
        while start < piece.stop:
            floors = (self._floor - margin).astype(np.float32)
            start, owner, place, rough = products.find(
                block.vectors, piece.rows, start, piece.stop, self._queries, floors, block.norm
            )
            if len(owner) > 2 * self._k * self.count:
                order = np.lexsort((-rough, owner))
                owner, place, rough = owner[order], place[order], rough[order]
                passing = rough >= (self._kth(owner, _rank(owner), rough) - margin).astype(np.float32)[owner]
                owner, place = owner[passing], place[passing]
            if len(owner):
                row = place if piece.rows is None else piece.rows[place]
                self._merge(owner, block.keys[row], self._score(owner, block.vectors, row))

    def consider(self, query: int, ids: Integers, vectors: Floats) -> None:
        """Consider m items for one query: ids (m,), vectors (m, d)."""
        owner = np.full(len(ids), query)
        self._merge(owner, ids, self._score(owner, vectors, np.arange(len(ids))))

    def is_full(self) -> bool:
        """Whether every query has k rows."""
        return not np.isneginf(self._floor).any()

    def sift(self, blocks: Sequence[Block], sketches: Sequence[Sketch], among: Selection | None) -> None:
        """Consider the rows of blocks with these sketches for all queries. Quick once it is full."""
        for query in range(self.count):
            asked = Question.of(self._exact_queries[query])
            for block, sketch in zip(blocks, sketches, strict=True):
                rows = sketch.near(asked, float(self._floor[query]))
                if len(rows) and (mask := block.mask(among)) is not None:
                    rows = rows[mask[rows]]
                if len(rows):
                    self.consider(query, block.keys[rows], block.vectors[rows])

    def take(self) -> list[tuple[Integers, Floats]]:
        """(ids, scores) of each query, best first."""
        bounds = np.searchsorted(self._owner, np.arange(self.count + 1)).tolist()
        return [(self._ids[a:b], self._scores[a:b]) for a, b in pairwise(bounds)]

    def _score(self, owner: Integers, vectors: Floats, row: Integers) -> Floats:
        scores = np.empty(len(row), np.float32)
        step = max(1, _RESCORED_NUMBERS // vectors.shape[1])
        for start in range(0, len(row), step):
            part = slice(start, start + step)
            # A sum along the last axis adds up each row in one order, whatever rows stand around it.
            scores[part] = (self._exact_queries[owner[part]] * vectors[row[part]]).sum(axis=1)
        return scores

    def _merge(self, owner: Integers, ids: Integers, scores: Floats) -> None:
        with self._lock:
            owner = np.concatenate([self._owner, owner])
            ids = np.concatenate([self._ids, ids])
            scores = np.concatenate([self._scores, scores])
            order = np.lexsort((ids, -scores, owner))
            owner, ids, scores = owner[order], ids[order], scores[order]
            rank = _rank(owner)
            self._floor = self._kth(owner, rank, scores)
            kept = rank < self._k
            self._owner, self._ids, self._scores = owner[kept], ids[kept], scores[kept]

    def _kth(self, owner: Integers, rank: Integers, scores: Floats) -> npt.NDArray[np.float64]:
        """(queries,): the k-th score of each, of scores with their rank; -inf where there is none."""
        kth = np.full(self.count, -np.inf)
        last = rank == self._k - 1
        kth[owner[last]] = scores[last]
        return kth


def scan(best: Best, blocks: Sequence[Block], among: Selection | None) -> None:
    """Look at every live row of the blocks, or at those that are selected."""
    if among is not None and len(among) <= _GATHERED:
        blocks, among = _gathered(blocks, among), None
    workers = products.threads(best.count)
    pieces = _pieces(blocks, among, products.most_rows(best.count), workers)
    if workers == 1:
        for piece in pieces:
            best.look(piece)
        return
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                piece = next(pieces, None)
            if piece is None:
                return
            best.look(piece)

    with ThreadPoolExecutor(workers) as pool:
        for running in [pool.submit(work) for _ in range(workers)]:
            running.result()


def _pieces(blocks: Sequence[Block], among: Selection | None, most_rows: int, workers: int) -> Iterator[_Piece]:
    """The rows that may be found, in pieces: each as large as all before it together, since then it holds about as many
    candidates as there are answers."""
    seen = 0
    for block in blocks:
        rows = block.rows(among)
        count = len(block.keys) if rows is None else len(rows)
        start = 0
        while start < count:
            stop = min(count, start + min(most_rows, max(_FIRST_ROWS, seen // workers)))
            yield _Piece(block, rows, start, stop)
            seen += stop - start
            start = stop


def _gathered(blocks: Sequence[Block], among: Selection) -> list[Block]:
    """The selected rows of all blocks as one block, if there are any."""
    chosen = [(block, rows) for block in blocks if (rows := block.rows(among)) is not None and len(rows)]
    if not chosen:
        return []
    keys = np.concatenate([block.keys[rows] for block, rows in chosen])
    vectors = np.concatenate([block.vectors[rows] for block, rows in chosen])
    norm, space = max(block.norm for block, _ in chosen), chosen[0][0].space
    return [Block(keys, {"vectors": vectors}, space, None, None, norm, False)]


def _rank(owner: Integers) -> Integers:
    """(n,): how many entries of the same query stand before each."""
    rank: Integers = np.arange(len(owner)) - np.searchsorted(owner, owner)
    return rank
