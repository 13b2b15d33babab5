"""Answers of several parts of one index as one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from limner.core.types import Floats, Integers


def best_of(found: Sequence[tuple[Integers, Floats]], k: int) -> tuple[Integers, Floats]:
    """The k best of (ids, scores) that share no id: best first, ties by smaller id."""
    ids = np.concatenate([np.empty(0, np.int64), *(ids for ids, _ in found)])
    scores = np.concatenate([np.empty(0, np.float32), *(scores for _, scores in found)])
    order = np.lexsort((ids, -scores))[:k]
    return ids[order], scores[order]
