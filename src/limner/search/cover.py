"""A few items that together serve much: greedy maximisation of a submodular function.

    F(S) = sum over needs of (the best service of an item in S to the need, 0 where there is none)

Facility location is monotone and submodular, so taking the item that adds most, again and again, reaches at least
1 - 1/e of what the best k items reach (Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978; cards 118, 56).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError


def cover(needs: npt.ArrayLike, items: npt.ArrayLike, services: npt.ArrayLike, k: int) -> list[int]:
    """At most k of the items, the one that adds most first; of equals the smallest.

    `needs`, `items`, `services` (p,): an item serves a need, both numbered from 0, so well; each pair once, and a pair
    that is left out is a service of 0. Fewer than k where no other item adds anything. Raises InputError for k < 1 and
    for services that are negative or not finite.
    """
    rows, columns = np.asarray(needs, np.int64), np.asarray(items, np.int64)
    values = np.asarray(services, np.float64)
    if k < 1:
        raise InputError(f"k is {k}: ask for at least 1")
    if not np.isfinite(values).all() or (values < 0).any():
        raise InputError("how well items serve must be numbers from 0 on")
    served = np.zeros(rows.max(initial=-1) + 1)
    chosen: list[int] = []
    while len(chosen) < k and len(values):
        gains = np.bincount(columns, np.maximum(values - served[rows], 0))
        best = int(gains.argmax())
        if gains[best] <= 0:
            break
        chosen.append(best)
        own = columns == best
        served[rows[own]] = np.maximum(served[rows[own]], values[own])
    return chosen
