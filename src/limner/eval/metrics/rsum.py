"""rsum: the one-number summary of the image-text field, from 0 to 600."""

from __future__ import annotations

from limner.eval.metrics.base import Doubles


def rsum(recalls: Doubles) -> Doubles:
    """Sum of the six recalls (R@1, R@5, R@10 in both directions) in per cent; (6, ...) of 0 to 1 -> (...)."""
    total: Doubles = 100.0 * recalls.sum(axis=0)
    return total
