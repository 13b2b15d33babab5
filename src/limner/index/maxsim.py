"""MaxSim, the similarity of the many vectors of a query and of an item, computed exactly.

    maxsim(Q, D) = sum over q in Q of (max over t in D of q · t)

(ColBERT, arXiv 2004.12832). FILIP (arXiv 2111.07783) scores a text against a picture by the mean over words, which
is the same order of the pictures for one text. SORCE (arXiv 2505.24441) gives an item a few vectors and a query one:
the same function, and the sum has one term. An item without vectors scores -inf and is never an answer.

A matrix product rounds a dot product in a way that depends on what stands around it in memory. Here it only finds
which tokens may be the best, with a margin for its rounding; the dot products of those are added up in float64, each
in one order. So a score is a function of the query and the item alone, whatever the blocks, and equal items tie.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers, Tokens

Allowed = npt.NDArray[np.bool_]

_BLOCK_TOKENS = 2048
"""So many tokens are compared at a time: they and their products stay in the second cache (1 MB at 128-d)."""

_EXACT_NUMBERS = 1 << 20


def maxsim(query: Floats, items: Tokens) -> Floats:
    """The score (n,) of each item. `query` (a, d); `items.values` (total, d) in float16 or float32.

    Memory is bounded, whatever the number of items. Raises InputError for a query without vectors.
    """
    scores = np.full(len(items), -np.inf, np.float32)
    for rows, _, _, _, best in _exact_cells(_checked(query, items), items):
        scores[rows] = best.sum(axis=1)
    return scores


def winners(query: Floats, items: Tokens) -> Integers:
    """Which vector of each item won for each vector of the query: (n, a), numbered from 0 within the item.

    The first of equals; -1 in an item without vectors. For FILIP, the place in the picture of each word.
    """
    chosen = np.full((len(items), len(query)), -1, np.int64)
    for rows, cell, token, exact, best in _exact_cells(_checked(query, items), items):
        winning = exact == best.ravel()[cell]
        first = np.full(best.size, np.iinfo(np.int64).max)
        np.minimum.at(first, cell[winning], token[winning])
        chosen[rows] = first.reshape(best.shape) - items.offsets[rows][:, None]
    return chosen


def best_items(query: Floats, items: Tokens, k: int, allowed: Allowed | None = None) -> tuple[Integers, Floats]:
    """The k best items: rows, and their scores as `maxsim` gives them, best first, ties to the smaller row.

    `allowed` (n,): which may be found. Fewer than k only where fewer have vectors. Looks at every item; a
    float32 product picks, with a margin for its rounding, those that are scored exactly.
    """
    query = _checked(query, items)
    eligible = np.diff(items.offsets) > 0
    if allowed is not None:
        eligible &= allowed
    kept, rough, margin, floor = [np.empty(0, np.int64)], [np.empty(0, np.float32)], 0.0, -np.inf
    for rows, values, starts in token_blocks(items, np.flatnonzero(eligible)):
        scores = np.maximum.reduceat(values @ query.T, starts, axis=0).sum(axis=1)
        margin = max(margin, _rounding(values, query) * float(np.linalg.norm(query, axis=1).sum()))
        passing = scores >= floor - 2 * margin
        kept.append(rows[passing])
        rough.append(scores[passing])
        if sum(map(len, kept)) > 4 * k:
            kept, rough, floor = _prune(kept, rough, k, margin)
    (rows,), _, _ = _prune(kept, rough, k, margin)
    scores = maxsim(query, items.take(rows))
    order = np.lexsort((rows, -scores))[:k]
    return rows[order], scores[order]


def half_to_single(values: npt.NDArray[np.float16]) -> Floats:
    """The same finite numbers in float32, several times as fast as the cast of numpy on most machines."""
    # Sign, exponent and fraction move to their places; the product mends the bias of the exponent, 127 for 15.
    bits = values.view(np.int16).astype(np.int32)
    bits <<= 13
    bits &= np.int32(-0x70002000)
    single = bits.view(np.float32)
    single *= np.float32(2.0**112)
    return single


def _prune(
    kept: list[Integers], rough: list[Floats], k: int, margin: float
) -> tuple[list[Integers], list[Floats], float]:
    rows, scores = np.concatenate(kept), np.concatenate(rough)
    floor = float(np.partition(scores, len(scores) - k)[len(scores) - k]) if len(scores) > k else -np.inf
    passing = scores >= floor - 2 * margin
    return [rows[passing]], [scores[passing]], floor


def _exact_cells(
    query: Floats, items: Tokens
) -> Iterator[tuple[Integers, Integers, Integers, npt.NDArray[np.float64], npt.NDArray[np.float64]]]:
    """For blocks of items with vectors: their rows (m,); the contenders as cell (of m x a), token and exact product;
    and the best product of each cell (m, a)."""
    exact_query = query.astype(np.float64)
    lengths = np.linalg.norm(exact_query, axis=1)
    for rows, values, starts in token_blocks(items, np.flatnonzero(np.diff(items.offsets))):
        counts = np.diff(np.append(starts, len(values)))
        rough = values @ query.T
        floor = np.maximum.reduceat(rough, starts, axis=0) - 2 * _rounding(values, query) * lengths
        token, column = np.nonzero(rough >= np.repeat(floor, counts, axis=0))
        owner = np.repeat(np.arange(len(rows)), counts)[token]
        exact = np.empty(len(token))
        step = max(1, _EXACT_NUMBERS // values.shape[1])
        for part in (slice(start, start + step) for start in range(0, len(token), step)):
            # A sum along the last axis adds up each row in one order, whatever rows stand around it.
            exact[part] = (exact_query[column[part]] * values[token[part]]).sum(axis=1)
        best = np.full((len(rows), len(query)), -np.inf)
        cell = owner * len(query) + column
        np.maximum.at(best.ravel(), cell, exact)
        yield rows, cell, token + (items.offsets[rows] - starts)[owner], exact, best


def _rounding(values: Floats, query: Floats) -> float:
    """How far a float32 score of these tokens may be off, as a share of the lengths of the query's vectors.

    A sum of m terms, in any order, is off by less than m/2^24 of the sum of their sizes; the constant covers
    numbers too small for a relative error.
    """
    longest = float(np.sqrt(np.einsum("td,td->t", values, values).max(initial=0)))
    return float((values.shape[1] + len(query) + 8) * 2.0**-24 * longest + 1e-37)


def token_blocks(items: Tokens, rows: Integers) -> Iterator[tuple[Integers, Floats, Integers]]:
    """These rows (ascending, none without vectors) in blocks of a fixed number of tokens; a longer item is alone.

    Each block: its rows, their tokens in float32, one item after the other, and where each item starts.
    """
    ends = np.cumsum(items.offsets[rows + 1] - items.offsets[rows])
    start = 0
    while start < len(rows):
        before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, before + _BLOCK_TOKENS, side="right")))
        yield rows[start:end], *_gather(items, rows[start:end])
        start = end


def _gather(items: Tokens, rows: Integers) -> tuple[Floats, Integers]:
    first, last = rows[0], rows[-1]
    if last - first + 1 == len(rows):  # side by side: no copy is needed
        offsets = items.offsets[first : last + 2]
        values, starts = items.values[offsets[0] : offsets[-1]], offsets[:-1] - offsets[0]
    else:
        taken = items.take(rows)
        values, starts = taken.values, taken.offsets[:-1]
    if values.dtype == np.float16:
        values = half_to_single(np.ascontiguousarray(values))
    return values, starts


def _checked(query: Floats, items: Tokens) -> Floats:
    if query.ndim != 2 or not len(query) or query.shape[1] != items.values.shape[1]:
        raise InputError(f"query: needs (a, {items.values.shape[1]}) with a >= 1, not {query.shape}")
    return np.ascontiguousarray(query, np.float32)
