"""The centroids and the code words by which `TokenCodes` compresses tokens, learnt with k-means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.types import Floats, Integers, Tokens
from limner.index.maxsim import half_to_single

SUBVECTOR = 6
"""So many dimensions of a residual share a byte."""

_MOST_CENTROIDS = 4096
_CENTROIDS_PER_ROOT = 4
"""4 times the square root of the tokens, in powers of two: PLAID takes 16, but the residuals are compared here too."""

_SAMPLE_PER_CENTROID = 40
_SAMPLE_FOR_WORDS = 1 << 14
_ROUNDS = 8
_BLOCK = 1024


def train(blocks: Sequence[Tokens]) -> tuple[Floats, Floats]:
    """Centroids (K, d), and code words of the residuals (256 for each subvector, SUBVECTOR), from a sample."""
    total = sum(len(block.values) for block in blocks)
    wanted = min(_MOST_CENTROIDS, _CENTROIDS_PER_ROOT * total**0.5, max(1, total // 8))
    count = 1 << int(np.log2(wanted))
    values = sample(blocks, max(_SAMPLE_PER_CENTROID * count, _SAMPLE_FOR_WORDS))
    centroids = _k_means(values, count)
    # The mean of a loose cluster is short, and its tokens would seem farther from every query than they are.
    lengths = np.linalg.norm(centroids, axis=1, keepdims=True)
    centroids *= np.linalg.norm(values, axis=1).mean() / np.maximum(lengths, np.float32(1e-30))
    values = values[:: -(-len(values) // _SAMPLE_FOR_WORDS)]
    residuals = padded(values - centroids[nearest(values, centroids)])
    parts = residuals.reshape(len(residuals), -1, SUBVECTOR)
    words = [_k_means(np.ascontiguousarray(parts[:, column]), 256) for column in range(parts.shape[1])]
    return centroids, np.concatenate(words)


def sample(blocks: Sequence[Tokens], count: int) -> Floats:
    """At most `count` tokens of all blocks, at random, in order."""
    starts = np.cumsum([0, *(len(block.values) for block in blocks)])
    chosen = np.arange(starts[-1])
    if len(chosen) > count:
        chosen = np.sort(np.random.default_rng(0).choice(len(chosen), count, replace=False))
    cuts = np.searchsorted(chosen, starts)
    parts = [
        single(block.values[chosen[cut:end] - start])
        for block, start, cut, end in zip(blocks, starts[:-1], cuts[:-1], cuts[1:], strict=True)
    ]
    return np.concatenate(parts)


def nearest(values: Floats, centroids: Floats) -> Integers:
    """The nearest centroid of each value by Euclidean distance; the first of equals."""
    half_squares = np.einsum("kd,kd->k", centroids, centroids) / 2
    found = np.empty(len(values), np.int64)
    for start in range(0, len(values), _BLOCK):
        part = slice(start, start + _BLOCK)
        found[part] = (values[part] @ centroids.T - half_squares).argmax(axis=1)
    return found


def padded(values: Floats) -> Floats:
    """(n, d) with zeros added up to a whole number of subvectors."""
    missing = -values.shape[1] % SUBVECTOR
    return np.pad(values, ((0, 0), (0, missing))) if missing else values


def single(values: npt.NDArray[Any]) -> Floats:
    """In float32 and in memory."""
    if values.dtype == np.float16:
        return half_to_single(np.ascontiguousarray(values))
    return np.ascontiguousarray(values, np.float32)


def _k_means(values: Floats, count: int) -> Floats:
    import faiss

    if len(values) < count:  # every value is a centroid
        return np.resize(values, (count, values.shape[1]))
    clustering = faiss.Kmeans(
        values.shape[1], count, niter=_ROUNDS, seed=1, min_points_per_centroid=1, max_points_per_centroid=len(values)
    )
    clustering.train(values)
    return np.ascontiguousarray(clustering.centroids, np.float32)
