"""A few items that together cover much: greedy maximisation of a submodular function.

    F(S) = sum over needs i of (max over j in S of w_ij)        w_ij >= 0: how well item j serves need i

Facility location is monotone and submodular, so taking the item that adds most, again and again, reaches at least
1 - 1/e of what the best k items reach (Nemhauser, Wolsey and Fisher, Mathematical Programming 14, 1978; cards 118, 56).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError

Doubles = npt.NDArray[np.float64]


def coverage(service: npt.ArrayLike, chosen: Sequence[int]) -> float:
    """F of the chosen items, columns of `service` (needs, items)."""
    weights = np.asarray(service, np.float64)
    return float(weights[:, list(chosen)].max(axis=1, initial=0.0).sum())


def cover(service: npt.ArrayLike, k: int) -> list[int]:
    """At most k items, columns of `service` (needs, items), the one that adds most first; of equals the first.

    Fewer where no other adds anything. Raises InputError for k < 1 and for services that are negative or not finite.
    """
    weights = np.asarray(service, np.float64)
    if k < 1:
        raise InputError(f"k is {k}: ask for at least 1 item")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise InputError("how well items serve must be numbers from 0 on")
    served: Doubles = np.zeros((len(weights), 1))
    chosen: list[int] = []
    while len(chosen) < min(k, weights.shape[1]):
        gains = np.maximum(weights - served, 0).sum(axis=0)
        best = int(gains.argmax())
        if gains[best] <= 0:
            break
        chosen.append(best)
        served = np.maximum(served, weights[:, best : best + 1])
    return chosen
