"""Several rankings of the same items as one.

`weighted_sum` keeps the size of the scores: right where they are in one unit (cosines). It is what the
engine uses for several dense spaces, because a sum of cosines still divides into the shares of the terms
and can be calibrated; a rank can do neither. `reciprocal_rank` looks at the order alone: right where units
differ (cosines and word weights), at the price of a score that says nothing about how well an item fits.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from limner.core.types import Floats, Integers

RANK_CONSTANT = 60
"""k of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): how little the first ranks stand out."""


def weighted_sum(scores: Floats, weights: npt.ArrayLike) -> Floats:
    """One score (n,) for each of n items, from their scores (s, n) in s rankings with weights (s,)."""
    return (np.asarray(weights, np.float64) @ scores).astype(np.float32)


def reciprocal_rank(rankings: Sequence[Integers], constant: float = RANK_CONSTANT) -> tuple[Integers, Floats]:
    """The ids of all rankings (each best first), best first, with sum of 1 / (constant + rank); ranks begin at 1.

    A ranking that lacks an item gives it nothing. Equal scores are ordered by the smaller id.
    """
    if not rankings:
        return np.empty(0, np.int64), np.empty(0, np.float32)
    ids, rows = np.unique(np.concatenate(rankings), return_inverse=True)
    gains = np.concatenate([1.0 / (constant + np.arange(1, len(ranking) + 1)) for ranking in rankings])
    scores = np.bincount(rows, weights=gains, minlength=len(ids)).astype(np.float32)
    order = best_first(ids, scores)
    return ids[order], scores[order]


def best_first(ids: Integers, scores: Floats) -> Integers:
    """The rows that put `scores` in falling order, equal ones by the smaller id."""
    return np.lexsort((ids, -scores))
