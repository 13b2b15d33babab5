"""Everyone who takes part, by name."""

from __future__ import annotations

from limner.measure.search import own
from limner.measure.search.contender import Contender
from limner.measure.search.peers import faiss_indexes, stores, vectors, words


def contenders() -> dict[str, Contender]:
    """New contenders, limner's own first."""
    peers = [*faiss_indexes.contenders(), *vectors.contenders(), *words.contenders(), *stores.contenders()]
    return {one.name: one for one in (*own.contenders(), *peers)}
