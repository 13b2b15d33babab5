"""Several weighted terms as one direction: the arithmetic of words, minus and weights in a cosine space.

With unit vectors e_i of the terms and their weights w_i (negative: wanted absent),

    q = sum_i w_i e_i / scale        scale = |sum_i w_i e_i|
    score(x) = cos(q, x) = sum_i share_i(x)        share_i(x) = w_i cos(e_i, x) / scale

so each term's share of a score is known, and the shares add up to it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats

CANCELLED = 1e-4
"""Below this length (relative to the sum of |w|) what is left of a sum is rounding, not meaning."""


def compose(weights: npt.NDArray[np.float64], units: Floats) -> tuple[Floats, float]:
    """The unit vector q (d,) and the scale of terms with `weights` (t,) and unit vectors `units` (t, d).

    Raises InputError where the terms cancel one another.
    """
    total = weights @ units.astype(np.float64)
    scale = float(np.linalg.norm(total))
    if scale <= CANCELLED * float(np.abs(weights).sum()):
        raise InputError("the terms of the query cancel one another: nothing is left to look for")
    return (total / scale).astype(np.float32), scale


def shares(weights: npt.NDArray[np.float64], scale: float, cosines: Floats) -> Floats:
    """Each term's share (t, n) of the scores of n items, from the cosines (t, n) of terms and items."""
    return (weights[:, None] * cosines / scale).astype(np.float32)
