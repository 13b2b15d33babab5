"""RemoteIndex: the vectors of one space on a server, and the ledger's word on which of them count.

An item has two rows to choose from on the server, 2 key and 2 key + 1. A new vector is written where the one that
counts is not, and only then the ledger goes over to it: so nothing that counts is ever overwritten, whatever dies
when. A row that does not count is no answer; `refresh` deletes it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.selection import Selection
from limner.core.types import Dense, Floats, Integers, Representation, Space, Sparse
from limner.index.arrays import ArrayFile
from limner.index.catalogue import Catalogue
from limner.index.layout import CEILING, IMPACTS, fitted, longest, question_words
from limner.index.ledger import Shard, locate
from limner.index.merging import best_of
from limner.index.place import Found, Server, Table
from limner.index.postings import in_steps
from limner.index.stored import check_limit
from limner.index.vectors import all_but, in_order, mergeable

MOST = 16_384
"""So many answers a server gives at once: Milvus gives no more."""

PUSHED = 4_096
"""A filter that leaves so few items is sent along with the question; a broader one is applied to the answers."""

SPARE = 16
"""So many answers more than k are asked for, to make up for rows that do not count and for equal scores."""

_TRIES = 5
_CHUNK = 4_096


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """The items of one shard of the ledger."""

    keys: Integers
    """(n,) ascending."""
    odd: int
    """0 or 1: which of an item's two rows it is."""
    live: npt.NDArray[np.bool_] | None
    """(n,): which a search may find. None: all."""
    kept: npt.NDArray[np.bool_] | None
    """(n,): the same with vanished items. None: all."""

    def rows(self, keys: Integers | None, vanished: bool = False) -> Integers:
        """The rows that count, of all items or of these ascending keys."""
        chosen = self.kept if vanished else self.live
        places = np.arange(len(self.keys)) if keys is None else locate(self.keys, keys)
        places = places if chosen is None else places[chosen[places]]
        return 2 * self.keys[places] + self.odd


@dataclass(frozen=True, slots=True, eq=False)
class _Snapshot:
    """Which rows counted at one moment."""

    generation: int | None
    batches: tuple[_Batch, ...]
    count: int
    """How many items a search may find."""
    norm: float
    """Euclidean length of the longest vector; of sparse ones, the largest weight."""

    def rows(self, keys: Integers | None = None, vanished: bool = False) -> Integers:
        """Ascending: the rows that count, of all items or of these ascending keys."""
        rows = [batch.rows(keys, vanished) for batch in self.batches]
        return np.sort(np.concatenate([np.empty(0, np.int64), *rows]))


class RemoteIndex:
    """Implements `core.protocols.Index`, and `Vectors`, for spaces of kind "dense" and "sparse".

    Scores are exact and so are the answers, as far as the server's are complete (see MilvusServer and
    PostgresServer). Of equal scores beyond the first 16,384 any may be answered. Safe to search from several threads.
    """

    def __init__(self, catalogue: Catalogue, server: Server, collection: str, fingerprint: str, space: Space) -> None:
        """`collection`: what the tables of this collection begin with on the server."""
        if space.kind not in ("dense", "sparse"):
            raise InputError(f"space {space.name}: a server keeps dense and sparse vectors, not {space.kind}")
        self.space = space
        self._catalogue, self._server, self._fingerprint = catalogue, server, fingerprint
        self._table: Table = server.table(table_name(collection, fingerprint, space.name), space)
        self._opened = _Snapshot(None, (), 0, 0.0)

    # Writing

    def add(self, ids: Integers, vectors: Representation) -> None:
        keys, items = in_order(ids, vectors, self.space)
        if not len(keys):
            return
        shards = self._catalogue.shards
        with self._catalogue.transaction():
            before = self._open().rows(keys, vanished=True)
            odd = np.zeros(len(keys), np.int64)
            odd[locate(keys, before >> 1)] = 1 - before % 2
            self._table.write(2 * keys + odd, items)
            for which in (0, 1):
                if len(own := keys[odd == which]):
                    shards.add(self._fingerprint, self.space.name, _nowhere(which), longest(items), own)
            self._catalogue.after_commit(self._merge)

    def remove(self, ids: Integers) -> int:
        return self._catalogue.shards.bury(np.asarray(ids, np.int64), self._fingerprint, self.space.name)

    def refresh(self) -> bool:
        """Delete the rows that do not count, and let the server make ready what it has."""
        with self._catalogue.writing():
            self._merge()
            kept = self._open().rows(vanished=True)
            swept = self._table.count() > len(kept) and self._sweep(kept)
        return self._table.settle() or swept

    def drop_damaged(self) -> int:
        lost = self._lost()
        return self._catalogue.shards.bury(lost, self._fingerprint, self.space.name)

    # Reading

    def search(self, queries: Representation, k: int, among: Selection | None = None) -> list[tuple[Integers, Floats]]:
        check_limit(k)
        asked = question_words(queries, self.space) if self.space.kind == "sparse" else fitted(queries, self.space)
        for _ in range(_TRIES):
            snapshot = self._snapshot()
            answers = _Search(self._table, snapshot, k, among).answers(asked)
            if snapshot.generation == self._catalogue.shards.generation():
                break  # else a writer may have deleted rows that this snapshot counts on
        return answers

    def take(self, keys: Integers) -> tuple[Integers, Representation]:
        rows, items = self._table.take(self._snapshot().rows(np.unique(keys), vanished=True))
        order = np.argsort(rows)
        return rows[order] >> 1, items.take(order)

    def placed(self) -> Integers:
        return self._catalogue.shards.placed(self._fingerprint, self.space.name)

    def missing(self) -> Integers:
        return self._catalogue.shards.missing(self._fingerprint, self.space.name)

    def frequency(self, terms: Integers) -> tuple[Integers, int]:
        """In how many items each term (t,) occurs, and how many items there are; removed ones count until swept."""
        count = self._snapshot().count
        holding = self._table.frequency(terms) if count else np.zeros(len(terms), np.int64)
        return np.minimum(holding, count), count

    def verify(self) -> list[str]:
        lost = len(self._lost())
        what = f"{lost:,} vectors of the space {self.space.name} are not there"
        return [f"{self._server.url}: {what}; make them again with: limner reindex"] if lost else []

    def stats(self) -> Mapping[str, int | float | str]:
        """`vectors` that a search can find, `dead` rows that `refresh` will delete, and the `server`."""
        snapshot = self._snapshot()
        dead = self._table.count() - len(snapshot.rows(vanished=True))
        return {"vectors": snapshot.count, "dead": dead, "server": self._server.url}

    # Inside

    def _snapshot(self) -> _Snapshot:
        snapshot = self._opened
        if snapshot.generation != self._catalogue.shards.generation():
            self._opened = snapshot = self._open()
        return snapshot

    def _open(self) -> _Snapshot:
        view = self._catalogue.shards.view(self._fingerprint, self.space.name)
        batches = tuple(_batch(shard, view.vanished) for shard in view.shards)
        count = sum(len(batch.keys) if batch.live is None else int(batch.live.sum()) for batch in batches)
        return _Snapshot(view.generation, batches, count, max((shard.norm for shard in view.shards), default=0.0))

    def _merge(self) -> None:
        shards = self._catalogue.shards
        with self._catalogue.writing():
            for which in (0, 1):
                while group := mergeable([shard for shard in self._shards() if _odd(shard) == which]):
                    keys = np.sort(np.concatenate([np.delete(shard.keys, shard.dead) for shard in group]))
                    new = _nowhere(which) if len(keys) else None
                    shards.replace(group, self._fingerprint, self.space.name, new, keys)

    def _shards(self) -> tuple[Shard, ...]:
        return self._catalogue.shards.view(self._fingerprint, self.space.name).shards

    def _sweep(self, kept: Integers) -> bool:
        swept = False
        for rows in list(self._table.rows()):
            if len(gone := np.setdiff1d(rows, kept)):
                self._table.delete(gone)
                swept = True
        return swept

    def _lost(self) -> Integers:
        """Keys, ascending, of the items whose row is not there."""
        there = np.concatenate([np.empty(0, np.int64), *self._table.rows()])
        lost: Integers = np.setdiff1d(self._open().rows(vanished=True), there) >> 1
        return lost


class _Search:
    """One search among the rows of a snapshot."""

    def __init__(self, table: Table, snapshot: _Snapshot, k: int, among: Selection | None) -> None:
        self._table, self._snapshot, self._k = table, snapshot, k
        self._chosen = None if among is None else snapshot.rows(among.ids)
        """The rows that may be answers. None: all that count."""
        self._exist = snapshot.count if self._chosen is None else len(self._chosen)
        self._pushed = None if self._exist > PUSHED else self._chosen
        """The rows to which the server is limited. None: it is not."""

    def answers(self, queries: Representation) -> list[tuple[Integers, Floats]]:
        nothing = best_of([], self._k)
        if not self._exist:
            return [nothing] * len(queries)
        asked = _upper_bound(queries)
        answerable = [row for row in range(len(queries)) if len(asked.take(slice(row, row + 1)).values)]
        limit = min(self._k + SPARE, MOST)
        answers = [nothing] * len(queries)
        if answerable:
            rows = np.array(answerable)
            first = self._table.nearest(asked.take(rows), limit, self._pushed)
            for row, found in zip(answerable, first, strict=True):
                own = slice(row, row + 1)
                answers[row] = self._answer(queries.take(own), asked.take(own), limit, found)
        return answers

    def _answer(
        self, query: Representation, asked: Representation, limit: int, found: Found
    ) -> tuple[Integers, Floats]:
        """The exact answer: as many of the server's best are looked at as it takes to be sure."""
        margin = _rounding(query, self._snapshot.norm)
        while True:
            ids, scores = best = self._scored(query, found)
            enough = len(ids) == self._k
            if enough and found.scores[-1] + margin < scores[-1]:
                return best
            every = len(found.rows) < limit or (self._pushed is not None and limit >= self._exist)
            if every and (enough or len(ids) == self._exist or isinstance(query, Sparse)):
                return best
            if every or limit == MOST:
                return best if enough else self._piece_by_piece(query, asked)
            limit = min(4 * limit, MOST)
            [found] = self._table.nearest(asked, limit, self._pushed)

    def _piece_by_piece(self, query: Representation, asked: Representation) -> tuple[Integers, Floats]:
        """The exact answer where more has to be looked at than a server gives at once."""
        rows = self._snapshot.rows() if self._chosen is None else self._chosen
        best = best_of([], self._k)
        for start in range(0, len(rows), _CHUNK):
            piece = rows[start : start + _CHUNK]
            [found] = self._table.nearest(asked, len(piece), piece)
            best = best_of([best, self._scored(query, found)], self._k)
        return best

    def _scored(self, query: Representation, found: Found) -> tuple[Integers, Floats]:
        """The k best of the rows that count, by exact scores."""
        chosen = self._snapshot.rows(np.unique(found.rows >> 1)) if self._chosen is None else self._chosen
        rows = np.flatnonzero(_contains(chosen, found.rows))
        return best_of([(found.rows[rows] >> 1, exact_scores(query, found.items.take(rows)))], self._k)


def table_name(collection: str, fingerprint: str, space: str) -> str:
    return f"{collection}_{hashlib.sha256(f'{fingerprint} {space}'.encode()).hexdigest()[:16]}"


def exact_scores(query: Representation, items: Representation) -> Floats:
    """The scores (n,) of one question and n items, as an index of files computes them."""
    if isinstance(query, Dense):
        products: Floats = (query.values.astype(np.float64) * items.values).sum(axis=1).astype(np.float32)
        return products
    assert isinstance(query, Sparse)
    assert isinstance(items, Sparse)
    terms, place = np.unique(query.indices, return_inverse=True)
    rounded, step = in_steps(query.values.astype(np.float64))
    weights = np.bincount(place, rounded, minlength=len(terms))  # float64, of whole numbers
    at = np.minimum(np.searchsorted(terms, items.indices), len(terms) - 1)
    impacts = np.rint(items.values * (IMPACTS / CEILING))
    gains = np.where(terms[at] == items.indices, weights[at], 0) * impacts
    sums = np.bincount(np.repeat(np.arange(len(items)), np.diff(items.indptr)), gains, minlength=len(items))
    return (sums * (CEILING / IMPACTS * step)).astype(np.float32)


def _contains(haystack: Integers, needles: Integers) -> npt.NDArray[np.bool_]:
    """(n,): which of the needles are in the ascending haystack."""
    if not len(haystack):
        return np.zeros(len(needles), np.bool_)
    nearest: Integers = haystack[np.minimum(np.searchsorted(haystack, needles), len(haystack) - 1)]
    found: npt.NDArray[np.bool_] = nearest == needles
    return found


def _upper_bound(queries: Representation) -> Representation:
    """Questions with weights above 0 alone: what they find holds such a word, and scores at most so much."""
    if not isinstance(queries, Sparse):
        return queries
    above = queries.values > 0
    ends = np.concatenate([[0], np.cumsum(above)])[queries.indptr]
    return Sparse(ends, queries.indices[above], queries.values[above], queries.vocabulary_size)


def _rounding(query: Representation, norm: float) -> float:
    """How far a server's dot product with this question, in float32 and in any order, may be from the exact score."""
    if isinstance(query, Sparse):
        size, weights = len(query.values), np.abs(query.values.astype(np.float64))
        return float(CEILING * (size * in_steps(weights)[1] + 2 * (size + 4) * 2.0**-24 * weights.sum()))
    size = int(query.values.shape[1])
    return float(2 * (size + 4) * 2.0**-24 * norm * longest(query) + 1e-37)


def _nowhere(odd: int) -> ArrayFile:
    """What stands in the ledger instead of a file."""
    return ArrayFile(f"{secrets.token_hex(8)}.{odd}", 0, 0)


def _odd(shard: Shard) -> int:
    return int(shard.file.name.rpartition(".")[2])


def _batch(shard: Shard, vanished: Integers) -> _Batch:
    hidden = np.concatenate([shard.dead, locate(shard.keys, vanished)])
    count = len(shard.keys)
    return _Batch(shard.keys, _odd(shard), all_but(hidden, count), all_but(shard.dead, count))
