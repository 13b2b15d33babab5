"""Blocks of dense vectors in memory, for inputs too many to write to disk each time."""

from __future__ import annotations

import numpy as np

from limner.core.types import Space
from limner.index.vectors import Block


def blocks_of(vectors: np.ndarray, ids: np.ndarray, cut: int, live: np.ndarray | None = None) -> list[Block]:
    """Two blocks, divided at `cut`, of vectors (n, d) with these ascending ids (n,)."""
    space = Space("image", "dense", vectors.shape[1], "dot")
    norm = float(np.linalg.norm(vectors.astype(np.float64), axis=1).max())
    parts = [part for part in np.split(np.arange(len(ids)), [min(cut, len(ids))]) if len(part)]
    alive = [None if live is None else live[own] for own in parts]
    pairs = zip(parts, alive, strict=True)
    return [Block(ids[own], {"vectors": vectors[own]}, space, mask, None, norm, False) for own, mask in pairs]
