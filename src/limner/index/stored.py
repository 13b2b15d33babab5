"""StoredIndex: what the indexes of all kinds have in common, over the store of their space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Generic, TypeVar

from limner.core.errors import InputError
from limner.core.selection import Selection
from limner.core.types import Floats, Integers, Kind, Representation, Similarity, Space
from limner.index.arrays import Array, Arrays, expect_scattered_reads
from limner.index.chunks import Chunks
from limner.index.vectors import Snapshot, VectorStore

Opened = TypeVar("Opened")
"""What a kind of index makes of the arrays of a structure."""


RECALL = 0.98
"""Of the true best of a large space, so many are found on average where nobody asks for another share."""


def check_recall(recall: float) -> None:
    """Raises InputError for a share that cannot be found."""
    if not 0 < recall <= 1:
        raise InputError(f"recall is {recall:g}; it must be above 0 and at most 1 (1: compare everything)")


def check_limit(k: int) -> None:
    """Raises InputError for a number of answers that no search can give."""
    if k < 1:
        raise InputError(f"k is {k}; it must be at least 1")


class StoredIndex(ABC, Generic[Opened]):
    """Implements `core.protocols.Index`. Safe to search from several threads.

    From `least` items on a structure is built (`refresh`) that covers nearly all of them; what it does not
    cover is searched the plain way, and both are one answer.
    """

    kind: ClassVar[Kind]
    similarities: ClassVar[tuple[Similarity, ...]]
    rescores: ClassVar[bool]
    """Whether answers of the structure are scored with the vectors that it covers."""

    def __init__(self, store: VectorStore, least: int) -> None:
        space = store.space
        if space.kind != self.kind or space.similarity not in self.similarities:
            raise InputError(
                f"space {space.name}: {type(self).__name__} serves {self.kind} vectors with "
                f"{' or '.join(self.similarities)}, not {space.kind} with {space.similarity}"
            )
        self._store, self._least = store, least
        self._opened: tuple[str, Opened] | None = None

    @property
    def space(self) -> Space:
        return self._store.space

    def add(self, ids: Integers, vectors: Representation) -> None:
        self._store.add(ids, vectors)

    def remove(self, ids: Integers) -> int:
        return self._store.remove(ids)

    def refresh(self) -> bool:
        return self._store.refresh(self._build, self._least)

    def stats(self) -> Mapping[str, int | float | str]:
        return self._store.stats()

    def search(self, queries: Representation, k: int, among: Selection | None = None) -> list[tuple[Integers, Floats]]:
        check_limit(k)
        return self._search(self._store.snapshot(), self._fitted(queries), k, among)

    def _open(self, snapshot: Snapshot) -> Opened:
        """The structure of the snapshot, which has one, ready to answer; made once for each file."""
        structure, opened = snapshot.structure, self._opened
        assert structure is not None
        if opened is None or opened[0] != structure.name:
            self._opened = opened = (structure.name, self._structure(structure.arrays))
            for block in snapshot.blocks if self.rescores else ():
                for array in block.arrays.values() if block.covered else ():
                    expect_scattered_reads(array)
        return opened[1]

    @abstractmethod
    def _build(self, chunks: Chunks) -> dict[str, Array]:
        """The arrays of a structure over these rows."""

    @abstractmethod
    def _structure(self, arrays: Arrays) -> Opened: ...

    @abstractmethod
    def _fitted(self, queries: Representation) -> Representation:
        """Checked queries. Raises InputError."""

    @abstractmethod
    def _search(
        self, snapshot: Snapshot, queries: Representation, k: int, among: Selection | None
    ) -> list[tuple[Integers, Floats]]: ...
