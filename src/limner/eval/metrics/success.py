"""Success@k, also called hit rate: whether anything relevant was found among the first k."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from limner.eval.metrics.base import CutMetric, Doubles, Judged


def success(ranks: Doubles, k: int) -> Doubles:
    """1 if any relevant item is among the first k, else 0; (n, r) -> (n,)."""
    hits: Doubles = np.where((ranks <= k).any(axis=1), 1.0, 0.0)
    return hits


class Success(CutMetric):
    symbol: ClassVar[str] = "success"

    def values(self, judged: Judged) -> Doubles:
        return success(judged.ranks, self.k)
