"""Everyone who takes part, by name."""

from __future__ import annotations

from limner.measure.search import own
from limner.measure.search.contender import Contender
from limner.measure.search.peers import faiss_indexes, pisa, stores, vectors, words


def contenders() -> dict[str, Contender]:
    """New contenders, limner's own first."""
    peers = (faiss_indexes, vectors, words, pisa, stores)
    everyone = [*own.contenders(), *(one for module in peers for one in module.contenders())]
    return {one.name: one for one in everyone}
