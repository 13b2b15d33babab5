"""nDCG@k: gain by grade, discounted by the logarithm of the place (Järvelin and Kekäläinen 2002)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from limner.eval.metrics.base import CutMetric, Doubles, Judged


def ndcg(ranks: Doubles, grades: Doubles, k: int) -> Doubles:
    """Discounted gain of the first k / that of the best possible order; (n, r), (n, r) -> (n,).

    The gain is the grade itself and the discount log2(place + 1), as in trec_eval (others use 2^grade - 1,
    which is the same for grades 0 and 1).
    """
    gain = np.where(ranks <= k, grades / np.log2(ranks + 1), 0.0).sum(axis=1)
    best = -np.sort(-grades, axis=1)[:, :k]
    ideal = (best / np.log2(np.arange(2, best.shape[1] + 2))).sum(axis=1)
    ratios: Doubles = gain / ideal
    return ratios


class NDCG(CutMetric):
    symbol: ClassVar[str] = "nDCG"

    def values(self, judged: Judged) -> Doubles:
        return ndcg(judged.ranks, judged.grades, self.k)
