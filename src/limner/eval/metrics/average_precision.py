"""mAP, mean average precision: precision at the place of each relevant item, those not found counting 0."""

from __future__ import annotations

import numpy as np

from limner.eval.metrics.base import Doubles, Judged, RankMetric


def average_precision(ranks: Doubles, grades: Doubles) -> Doubles:
    """Mean over all relevant items of the precision at their place; (n, r), (n, r) -> (n,)."""
    places = np.sort(ranks, axis=1)
    found = np.arange(1, ranks.shape[1] + 1)
    means: Doubles = (found / places).sum(axis=1) / (grades > 0).sum(axis=1)
    return means


class AveragePrecision(RankMetric):
    name = "mAP"

    def values(self, judged: Judged) -> Doubles:
        return average_precision(judged.ranks, judged.grades)
