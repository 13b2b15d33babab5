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

SCANNED = 4
"""A filter that leaves so many times the root of the number of items, as many as a partition has lists, is answered by
scanning those: asking the partition costs as much."""

SKETCHED = 1 << 18
"""So many rows that no structure covers yet are sketched (a byte a number); more of them wait for one."""


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
        structure = None if self._recall == 1 else snapshot.structure
        if structure is not None and among is not None and len(among) <= SCANNED * len(structure) ** 0.5:
            structure = None
        for start in range(0, len(queries), QUERIES):
            group = queries.values[start : start + QUERIES]
            best = Best(group, k)
            if structure is None:
                scan(best, snapshot.blocks, among)
            else:
                self._consider_candidates(best, snapshot, structure, group, k, among)
                self._consider_rest(best, snapshot.rest(), among)
            found += best.take()
        return found

    def _consider_candidates(
        self, best: Best, snapshot: Snapshot, structure: Structure, queries: Floats, k: int, among: Selection | None
    ) -> None:
        candidates = self._open(snapshot).search(queries, k, self._recall, structure.allowed(among))
        for query, (rows, _) in enumerate(candidates):
            keys = np.sort(structure.keys(rows))
            best.consider(query, keys, snapshot.vectors(keys))

    def _consider_rest(self, best: Best, blocks: Sequence[Block], among: Selection | None) -> None:
        """The rows that no structure covers, by their sketches where that is quicker; these are made the first time."""
        rows = sum(len(block.keys) for block in blocks)
        if products.compiled is None or best.count > products.FEW or rows > SKETCHED or not best.is_full():
            scan(best, blocks, among)
            return
        known = self._sketches
        pairs = [known.get(id(block.arrays)) or (block.arrays, Sketch.of(block.vectors)) for block in blocks]
        self._sketches = {id(arrays): (arrays, sketch) for arrays, sketch in pairs}
        best.sift(blocks, [sketch for _, sketch in pairs], among)


class _Vectors(Sequence[Floats]):
    """Chunks of a dense space as the matrices that they are."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks

    def __len__(self) -> int:
        return len(self._chunks)

    def __getitem__(self, number: int) -> Floats:  # type: ignore[override]
        return self._chunks[number].values
