"""Median rank: the place by which half of the queries have met their first relevant item."""

from __future__ import annotations

from typing import ClassVar

from limner.eval.metrics.base import Doubles, Judged, RankMetric, Statistic


def first_rank(ranks: Doubles) -> Doubles:
    """Place of the first relevant item, inf if none was found; (n, r) -> (n,)."""
    first: Doubles = ranks.min(axis=1)
    return first


class MedianRank(RankMetric):
    statistic: ClassVar[Statistic] = "median"
    name = "median rank"

    def values(self, judged: Judged) -> Doubles:
        return first_rank(judged.ranks)
