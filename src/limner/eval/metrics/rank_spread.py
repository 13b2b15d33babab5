"""Rank spread: whether the same question, asked in another way, finds its answer at the same place."""

from __future__ import annotations

import numpy as np

from limner.eval.metrics.base import Doubles


def rank_spread(ranks: Doubles) -> Doubles:
    """Standard deviation of the places that K ways of asking give, (n, K) -> (n,).

    Its mean over questions is the Mean Rank Variance of CCRK (arXiv 2406.18254), which is a standard deviation in
    its released script, too; here that of the K places as a whole (divided by K). 0 where all agree, however far
    down the answer is: read it beside a recall.
    """
    spread: Doubles = np.std(ranks, axis=1)
    return spread
