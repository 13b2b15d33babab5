"""MultiVectorIndex: several vectors an item, compared by MaxSim; exact where that is quick, else a coded shortlist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from limner.core.errors import InputError
from limner.core.selection import Selection
from limner.core.types import Floats, Integers, Representation, Tokens
from limner.index.arrays import Array, Arrays
from limner.index.chunks import Chunks
from limner.index.maxsim import best_items, maxsim
from limner.index.merging import best_of
from limner.index.stored import RECALL, StoredIndex, check_recall
from limner.index.structure import Structure
from limner.index.vectors import Snapshot, VectorStore

if TYPE_CHECKING:
    from limner.index.token_codes import TokenCodes

LEAST = 5_000
"""So many items of 32 vectors are compared exactly in about 25 milliseconds."""

SCANNED = 1_000
"""A filter that leaves so few of the items is answered by comparing those exactly, and so are more answers."""

SUREST = 0.99
"""The highest recall that codes are asked for; beyond, everything is compared exactly."""


class MultiVectorIndex(StoredIndex["TokenCodes"]):
    """Implements `core.protocols.Index` for spaces of kind "tokens", similarity "maxsim".

    Scores are always exact, of the vectors as they are kept. Beyond a small collection each of the true k best is
    among the answers with the probability `recall` (1: always). An item without vectors is no answer.
    """

    kind = "tokens"
    similarities = ("maxsim",)
    rescores = True

    def __init__(self, store: VectorStore, *, recall: float = RECALL, least: int = LEAST) -> None:
        super().__init__(store, least)
        check_recall(recall)
        self._recall = recall

    def _build(self, chunks: Chunks) -> dict[str, Array]:
        from limner.index.token_codes import TokenCodes

        return TokenCodes.build(cast("Sequence[Tokens]", chunks))

    def _structure(self, arrays: Arrays) -> TokenCodes:
        from limner.index.token_codes import TokenCodes

        return TokenCodes(arrays)

    def _fitted(self, queries: Representation) -> Tokens:
        space = self.space
        if not isinstance(queries, Tokens):
            raise InputError(f"space {space.name}: needs Tokens, not {type(queries).__name__}")
        if queries.values.ndim != 2 or queries.values.shape[1] != space.size:
            raise InputError(f"space {space.name}: needs vectors of {space.size} numbers, not {queries.values.shape}")
        if not np.isfinite(queries.values).all():
            raise InputError(f"space {space.name}: a vector of a question holds NaN or infinity")
        return queries

    def _search(
        self, snapshot: Snapshot, queries: Representation, k: int, among: Selection | None
    ) -> list[tuple[Integers, Floats]]:
        assert isinstance(queries, Tokens)
        structure = snapshot.structure
        if self._recall > SUREST or k > SCANNED or (among is not None and len(among) <= SCANNED):
            structure = None
        blocks = snapshot.blocks if structure is None else snapshot.rest()
        tokens = [Tokens(block.arrays["offsets"], block.vectors) for block in blocks]
        masks = [block.mask(among) for block in blocks]
        answers = []
        for query in _each(queries):
            found = []
            for block, items, mask in zip(blocks, tokens, masks, strict=True) if len(query) else ():
                rows, scores = best_items(query, items, k, mask)
                found.append((block.keys[rows], scores))
            if structure is not None and len(query):
                found += self._from_codes(snapshot, structure, query, k, among)
            answers.append(best_of(found, k))
        return answers

    def _from_codes(
        self, snapshot: Snapshot, structure: Structure, query: Floats, k: int, among: Selection | None
    ) -> list[tuple[Integers, Floats]]:
        """The shortlist that the codes give, scored exactly."""
        rows, _ = self._open(snapshot).search(query, k, structure.allowed(among), self._recall)
        keys = np.sort(structure.keys(rows))
        found = []
        for block in snapshot.blocks:
            own = block.rows_of(keys) if block.covered else keys[:0]
            if len(own):
                items = block.take(own)
                assert isinstance(items, Tokens)
                found.append((block.keys[own], maxsim(query, items)))
        return found


def _each(queries: Tokens) -> Sequence[Floats]:
    return [queries.values[start:end] for start, end in zip(queries.offsets[:-1], queries.offsets[1:], strict=True)]
