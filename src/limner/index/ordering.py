"""The order in which an inverted index keeps its documents: like ones together, in blocks of one size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from limner.core.types import Integers

_ROUNDS = 6
_SETTLED = 500
"""Halves are final when fewer than one document in so many has changed sides."""


def cluster(terms: npt.NDArray[np.int32], term_count: int, block: int) -> Integers:
    """An order of the documents that brings like ones into the same blocks of `block` documents.

    `terms` (n, m) are the weightiest terms of each document, filled up with `term_count`. The documents are cut in
    two halves again and again. A cut starts from a random half-space and is improved as in Dhulipala et al.,
    "Compressing graphs and indexes with recursive graph bisection" (KDD 2016): each document moves to the half where
    its terms are more frequent; here all at once, those with the largest sum of log ratios to the left.
    Inside a block the documents ascend.
    """
    signs = np.random.default_rng(0).integers(-100, 101, term_count + 1).astype(np.int16)
    signs[term_count] = 0
    return np.concatenate(list(_halves(np.arange(len(terms)), terms, signs, block)))


def _halves(
    documents: Integers, terms: npt.NDArray[np.int32], signs: npt.NDArray[np.int16], block: int
) -> Iterator[Integers]:
    blocks = -(-len(documents) // block)
    if blocks <= 1:
        yield documents
        return
    of_these = terms[documents]
    size = (blocks + 1) // 2 * block
    total = np.bincount(of_these.ravel(), minlength=len(signs))
    left = _largest(signs[of_these].sum(axis=1, dtype=np.int32), size)
    for _ in range(_ROUNDS):
        inside = np.bincount(of_these[left].ravel(), minlength=len(signs))
        ratios = np.rint(256 * np.log2((inside + 0.5) / (total - inside + 0.5))).astype(np.int16)
        ratios[-1] = 0
        before, left = left, _largest(ratios[of_these].sum(axis=1, dtype=np.int32), size)
        if np.count_nonzero(before != left) * _SETTLED < len(documents):
            break
    del of_these
    yield from _halves(documents[left], terms, signs, block)
    yield from _halves(documents[~left], terms, signs, block)


def _largest(scores: npt.NDArray[np.int32], count: int) -> npt.NDArray[np.bool_]:
    """The `count` largest; among equals the first."""
    least = np.partition(scores, len(scores) - count)[len(scores) - count]
    chosen: npt.NDArray[np.bool_] = scores > least
    equal = np.flatnonzero(scores == least)
    chosen[equal[: count - np.count_nonzero(chosen)]] = True
    return chosen
