"""MRR, mean reciprocal rank: how soon the first relevant item comes."""

from __future__ import annotations

from limner.eval.metrics.base import Doubles, Judged, RankMetric
from limner.eval.metrics.rank import first_rank


def reciprocal_rank(ranks: Doubles) -> Doubles:
    """1 / place of the first relevant item, 0 if none was found; (n, r) -> (n,)."""
    return 1.0 / first_rank(ranks)


class ReciprocalRank(RankMetric):
    name = "MRR"

    def values(self, judged: Judged) -> Doubles:
        return reciprocal_rank(judged.ranks)
