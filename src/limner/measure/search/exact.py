"""The true answers, computed plainly: every item scored, in blocks, the best kept."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from limner.core.types import Dense, Floats, Integers, Representation, Sparse, Tokens

TRUTH_DEPTH = 100
_ROWS = {Dense: 1 << 15, Sparse: 1 << 16, Tokens: 1 << 12}
"""Items scored at a time."""

Mask = npt.NDArray[np.bool_]


def best(items: Representation, queries: Representation, k: int, allowed: Mask | None = None) -> Integers:
    """(q, k) rows of the k best items of each query, best first, ties to the smaller row.

    Scores are dot products, of tokens MaxSim (ColBERT, Khattab and Zaharia 2020), in float32. -1 stands where there
    are fewer than k; an item that shares no word with a sparse query is no answer. `allowed` (n,): only these.
    """
    found = np.full((len(queries), k), -1, np.int64)
    scores = np.full((len(queries), k), -np.inf, np.float32)
    for rows, block in _scored(items, queries, allowed):
        # Blocks come in order of rows and a stable sort keeps it, so that ties go to the smaller row.
        top = _top(block, k)
        candidates = np.concatenate([scores, np.take_along_axis(block, top, axis=1)], axis=1)
        order = np.argsort(-candidates, axis=1, kind="stable")[:, :k]
        scores = np.take_along_axis(candidates, order, axis=1)
        found = np.take_along_axis(np.concatenate([found, rows[top]], axis=1), order, axis=1)
    found[scores == -np.inf] = -1
    return found


def _top(scores: Floats, k: int) -> Integers:
    """(q, at most k) columns of the k best of each row of scores (q, n), ascending."""
    if scores.shape[1] <= k:
        return np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    kth = np.partition(scores, -k, axis=1)[:, -k, None]
    # Of those equal to the k-th only the first ones, as many as fit.
    above, equal = scores > kth, scores == kth
    equal &= np.cumsum(equal, axis=1, dtype=np.int32) <= k - above.sum(axis=1, keepdims=True)
    return np.nonzero(above | equal)[1].reshape(len(scores), k)


def _scored(items: Representation, queries: Representation, allowed: Mask | None) -> Iterator[tuple[Integers, Floats]]:
    """(rows (n,) ascending, scores (q, n)) of one block of items after the other."""
    step = _ROWS[type(items)]
    for start in range(0, len(items), step):
        stretch = slice(start, min(start + step, len(items)))
        rows = np.arange(start, stretch.stop)
        if allowed is not None:
            rows = rows[allowed[stretch]]
        if len(rows):
            yield rows, scores_of(items.take(stretch if allowed is None else rows), queries)


def scores_of(items: Representation, queries: Representation) -> Floats:
    """(q, n) float32; -inf where an item shares no word with a sparse query."""
    if isinstance(items, Dense) and isinstance(queries, Dense):
        products: Floats = queries.values @ items.values.T
        return products
    if isinstance(items, Sparse) and isinstance(queries, Sparse):
        return _sparse_scores(items, queries)
    if isinstance(items, Tokens) and isinstance(queries, Tokens):
        return _token_scores(items, queries)
    raise TypeError(f"{type(queries).__name__} queries for {type(items).__name__} items")


def _sparse_scores(items: Sparse, queries: Sparse) -> Floats:
    """(q, n), term at a time over the postings of this block; -inf for an item without any of the query's words."""
    order = np.argsort(items.indices.astype(np.uint16 if items.vocabulary_size <= 1 << 16 else np.int64), kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(items.indices, minlength=items.vocabulary_size))])
    owner = np.repeat(np.arange(len(items), dtype=np.int32), np.diff(items.indptr))[order]
    values = items.values[order]
    scores = np.zeros((len(queries), len(items)), np.float32)
    for query, row in enumerate(scores):
        entries = slice(queries.indptr[query], queries.indptr[query + 1])
        for term, weight in zip(queries.indices[entries], queries.values[entries], strict=True):
            postings = slice(starts[term], starts[term + 1])
            row[owner[postings]] += weight * values[postings]
    scores[scores == 0] = -np.inf
    return scores


def _token_scores(items: Tokens, queries: Tokens) -> Floats:
    """(q, n): of each token of a query the best product with any token of the item, summed over the query."""
    tokens = items.values.astype(np.float32)
    scores = np.empty((len(queries), len(items)), np.float32)
    for query in range(len(queries)):
        asked = queries.values[queries.offsets[query] : queries.offsets[query + 1]].astype(np.float32)
        products = tokens @ asked.T
        scores[query] = np.maximum.reduceat(products, items.offsets[:-1], axis=0).sum(axis=1)
    return scores
