"""Recall@k: how much of what is relevant was found among the first k."""

from __future__ import annotations

from typing import ClassVar

from limner.eval.metrics.base import CutMetric, Doubles, Judged


def recall(ranks: Doubles, grades: Doubles, k: int) -> Doubles:
    """Relevant items among the first k / all relevant items; (n, r), (n, r) -> (n,)."""
    shares: Doubles = (ranks <= k).sum(axis=1) / (grades > 0).sum(axis=1)
    return shares


class Recall(CutMetric):
    symbol: ClassVar[str] = "recall"

    def values(self, judged: Judged) -> Doubles:
        return recall(judged.ranks, judged.grades, self.k)
