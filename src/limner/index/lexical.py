"""LexicalIndex: weighted words, found through an inverted index; exact on the impacts that are kept."""

from __future__ import annotations

import numpy as np

from limner.core.selection import Selection
from limner.core.types import Floats, Integers, Representation, Sparse, concatenate
from limner.index.arrays import Array, Arrays
from limner.index.chunks import Chunks
from limner.index.layout import CEILING, question_words
from limner.index.merging import best_of
from limner.index.postings import Postings
from limner.index.stored import StoredIndex
from limner.index.vectors import Block, Snapshot, VectorStore

LEAST = 4096
"""From so many items on the inverted index is kept on disk; below, it is made anew on opening in no time."""


class LexicalIndex(StoredIndex[Postings]):
    """Implements `core.protocols.Index` for spaces of kind "sparse", similarity "dot".

    An item is an answer if it holds a word that the question gives a weight above 0; so there may be fewer than
    k though more items exist. Weights of a question may be negative.
    """

    kind = "sparse"
    similarities = ("dot",)
    rescores = False

    def __init__(self, store: VectorStore, *, least: int = LEAST) -> None:
        super().__init__(store, least)
        self._small: dict[int, tuple[Arrays, Postings]] = {}
        """Postings of blocks that no structure covers, by the identity of their arrays."""

    def frequency(self, terms: Integers) -> tuple[Integers, int]:
        """In how many items each term (t,) occurs, and how many items there are; removed ones count until merged."""
        snapshot = self._store.snapshot()
        every = [postings for _, postings in self._rest(snapshot)]
        if snapshot.structure is not None:
            every.append(self._open(snapshot))
        counts = np.zeros(len(terms), np.int64)
        for postings in every:
            counts += postings.frequency(terms)
        return counts, sum(block.count() for block in snapshot.blocks)

    def _build(self, chunks: Chunks) -> dict[str, Array]:
        documents = concatenate(list(chunks), self.space)
        assert isinstance(documents, Sparse)
        return Postings.build(documents, CEILING)

    def _structure(self, arrays: Arrays) -> Postings:
        return Postings(arrays)

    def _fitted(self, queries: Representation) -> Sparse:
        return question_words(queries, self.space)

    def _search(
        self, snapshot: Snapshot, queries: Representation, k: int, among: Selection | None
    ) -> list[tuple[Integers, Floats]]:
        assert isinstance(queries, Sparse)
        rest = self._rest(snapshot)
        masks = [block.mask(among) for block, _ in rest]
        structure = snapshot.structure
        allowed = None if structure is None else structure.allowed(among)
        answers = []
        for row in range(len(queries)):
            own = slice(queries.indptr[row], queries.indptr[row + 1])
            terms, weights = queries.indices[own], queries.values[own]
            found = []
            if structure is not None:
                rows, scores = self._open(snapshot).search(terms, weights, k, allowed)
                found.append((structure.keys(rows), scores))
            for (block, postings), mask in zip(rest, masks, strict=True):
                rows, scores = postings.search(terms, weights, k, mask)
                found.append((block.keys[rows], scores))
            answers.append(best_of(found, k))
        return answers

    def _rest(self, snapshot: Snapshot) -> list[tuple[Block, Postings]]:
        """The blocks that the structure does not cover, with postings of their own."""
        before, self._small = self._small, {}
        made, rest = {}, []
        for block in snapshot.rest():
            known = before.get(id(block.arrays))
            if known is None or known[0] is not block.arrays:
                items = block.take(np.arange(len(block.keys)))
                assert isinstance(items, Sparse)
                known = block.arrays, Postings(Postings.build(items, CEILING))
            made[id(block.arrays)] = known
            rest.append((block, known[1]))
        self._small = made
        return rest
