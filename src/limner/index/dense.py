"""DenseIndex: one vector an item; exact where that is quick, else partitioned candidates scored exactly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from limner.core.selection import Selection
from limner.core.types import Dense, Floats, Integers, Representation
from limner.index import products
from limner.index.arrays import Array, Arrays
from limner.index.chunks import Chunks
from limner.index.exact import QUERIES, Best, scan
from limner.index.layout import fitted
from limner.index.sketch import Sketch
from limner.index.stored import RECALL, StoredIndex, check_recall
from limner.index.structure import Structure
from limner.index.vectors import Block, Snapshot, VectorStore

if TYPE_CHECKING:
    from limner.index.partition import Partition

LEAST = 20_000
"""So many vectors are scanned exactly in about two milliseconds; a partition is quicker only beyond."""

SCANNED = 10_000
"""A filter that leaves so few of the items is answered by scanning those."""


class DenseIndex(StoredIndex["Partition"]):
    """Implements `core.protocols.Index` for spaces of kind "dense", similarity "cosine" or "dot".

    Scores are always exact. So are the answers of a small collection and of a selective filter; beyond, each of
    the true k best is among the answers with the probability `recall` (1: always, by scanning everything).
    """

    kind = "dense"
    similarities = ("cosine", "dot")
    rescores = True

    def __init__(self, store: VectorStore, *, recall: float = RECALL, least: int = LEAST) -> None:
        super().__init__(store, least)
        check_recall(recall)
        self._recall = recall
        self._sketches: dict[int, tuple[Arrays, Sketch]] = {}
        """Of blocks that no structure covers, by the identity of their arrays."""

    def _build(self, chunks: Chunks) -> dict[str, Array]:
        from limner.index.partition_build import build

        return build(_Vectors(chunks), self.space.similarity)

    def _structure(self, arrays: Arrays) -> Partition:
        from limner.index.partition import Partition

        return Partition(arrays)

    def _fitted(self, queries: Representation) -> Dense:
        values = fitted(queries, self.space)
        assert isinstance(values, Dense)
        return values

    def _search(
        self, snapshot: Snapshot, queries: Representation, k: int, among: Selection | None
    ) -> list[tuple[Integers, Floats]]:
        found = []
        structure = snapshot.structure
        if structure is None or self._recall == 1 or (among is not None and len(among) <= SCANNED):
            blocks, structure = snapshot.blocks, None
        else:
            blocks = snapshot.rest()
        for start in range(0, len(queries), QUERIES):
            group = queries.values[start : start + QUERIES]
            best = Best(group, k)
            if structure is not None:
                # First of all: what scores less than these need not be looked at twice.
                self._consider_candidates(best, snapshot, structure, group, k, among)
            sketched = structure is not None and len(group) <= products.FEW and products.compiled is not None
            if not (sketched and best.sift(self._sketched(blocks), among)):
                scan(best, blocks, among)
            found += best.take()
        return found

    def _consider_candidates(
        self, best: Best, snapshot: Snapshot, structure: Structure, queries: Floats, k: int, among: Selection | None
    ) -> None:
        candidates = self._open(snapshot).search(queries, k, self._recall, structure.allowed(among))
        for query, (rows, _) in enumerate(candidates):
            keys = np.sort(structure.keys(rows))
            best.consider(query, keys, snapshot.vectors(keys))

    def _sketched(self, blocks: Sequence[Block]) -> list[tuple[Block, Sketch]]:
        """Blocks that no structure covers, with a sketch that is made the first time."""
        known = self._sketches
        pairs = [known.get(id(block.arrays)) or (block.arrays, Sketch.of(block.vectors)) for block in blocks]
        self._sketches = {id(arrays): (arrays, sketch) for arrays, sketch in pairs}
        return [(block, sketch) for block, (_, sketch) in zip(blocks, pairs, strict=True)]


class _Vectors(Sequence[Floats]):
    """Chunks of a dense space as the matrices that they are."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, number: int) -> Floats:  # type: ignore[override]
        return self._chunks[number].values
