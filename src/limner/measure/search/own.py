"""limner's own indexes behind the interface of a contender, over the same store as in a collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from limner.core.selection import Selection
from limner.core.types import Dense, Integers, Kind, Representation, Similarity, Space, Sparse, Tokens
from limner.index.arrays import ArrayFolder
from limner.index.catalogue import Catalogue
from limner.index.dense import DenseIndex
from limner.index.lexical import LexicalIndex
from limner.index.multivector import MultiVectorIndex
from limner.index.stored import StoredIndex
from limner.index.vectors import VectorStore
from limner.measure.search.contender import Contender, Effort, Mask

_ADDED_ROWS = 1 << 16
_RECALLS: Sequence[Effort] = tuple({"recall": recall} for recall in (0.8, 0.9, 0.95, 0.98, 0.99, 1.0))


class Own(Contender):
    """An index with the structure that it builds itself where its size asks for one.

    An effort is the recall that the index is asked for; it chooses the way by itself.
    """

    package = "limner"
    filters = grows = True

    def __init__(
        self,
        index: Callable[..., StoredIndex[Any]],
        kind: Kind,
        similarity: Similarity,
        efforts: Sequence[Effort] = ({},),
    ) -> None:
        self.name, self.kind, self.efforts = f"limner {index.__name__}", kind, efforts
        self._type, self._similarity = index, similarity
        self._filter: tuple[Mask | None, Selection] = None, Selection(np.empty(0, np.int64))

    def build(self, items: Representation, folder: Path) -> None:
        index = self._type(self._store(items, folder), **self.efforts[0])
        for rows, part in _parts(items):
            index.add(rows, part)
        index.refresh()

    def open(self, items: Representation, folder: Path) -> None:
        store, self._n = self._store(items, folder), len(items)
        self._indexes = {tuple(effort.items()): self._type(store, **effort) for effort in self.efforts}

    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        among = None if allowed is None else self._selected(allowed)
        return self._indexes[tuple(effort.items())].search(query, k, among)[0][0]

    def _selected(self, allowed: Mask) -> Selection:
        """Made once for a filter, as a collection does."""
        if allowed is not self._filter[0]:
            self._filter = allowed, Selection(np.flatnonzero(allowed))
        return self._filter[1]

    def add(self, items: Representation) -> None:
        next(iter(self._indexes.values())).add(self._n + np.arange(len(items)), items)

    def held_bytes(self, folder: Path) -> int:
        """Those of the structure: the rows that answers are scored with stay on disk. Without a structure, the rows."""
        stats = next(iter(self._indexes.values())).stats()
        return int(stats["structure bytes"] or stats["bytes"])

    def _store(self, items: Representation, folder: Path) -> VectorStore:
        catalogue = Catalogue(folder / "catalogue.sqlite", create=True)
        space = Space("bench", self.kind, _size(items), self._similarity)
        return VectorStore(catalogue, ArrayFolder(folder / "vectors"), "bench", space)


def _size(items: Representation) -> int:
    return items.vocabulary_size if isinstance(items, Sparse) else items.values.shape[1]


def _parts(items: Representation) -> Iterator[tuple[Integers, Representation]]:
    step = _ADDED_ROWS if isinstance(items, Dense | Sparse) else _ADDED_ROWS // 16
    for start in range(0, len(items), step):
        part = items.take(slice(start, start + step))
        if isinstance(part, Tokens):
            part = Tokens(part.offsets, part.values.astype(np.float32))
        yield np.arange(start, start + len(part)), part


def contenders() -> list[Contender]:
    return [
        Own(DenseIndex, "dense", "cosine", _RECALLS),
        Own(LexicalIndex, "sparse", "dot"),
        Own(MultiVectorIndex, "tokens", "maxsim", _RECALLS),
    ]
