"""Rank metrics: a family a file, each a pure function of ranks and a thin class that is a `Metric`.

| class | per query | cut |
|---|---|---|
| `Recall` | share of the relevant items among the first k | k |
| `Success` (hit rate) | 1 if any relevant item is among the first k | k |
| `MedianRank` | place of the first relevant item; summed up by the median | none |
| `ReciprocalRank` (MRR) | 1 / place of the first relevant item | none |
| `AveragePrecision` (mAP) | mean over the relevant items of the precision at their place | none |
| `NDCG` | discounted gain by grade, over that of the best order | k |
| `rsum` | no per-query metric: 100 times the sum of six recalls | |
| `rank_spread` | standard deviation of the places that several ways of asking give | none |

What image-text papers call image-to-text "R@k" is `Success`: a hit if any of the picture's captions is
among the first k. With one relevant item a query, as in text-to-image, `Recall` and `Success` agree.
"""

from limner.eval.metrics.average_precision import AveragePrecision, average_precision
from limner.eval.metrics.base import Judged, RankMetric, judge
from limner.eval.metrics.ndcg import NDCG, ndcg
from limner.eval.metrics.rank import MedianRank, first_rank
from limner.eval.metrics.rank_spread import rank_spread
from limner.eval.metrics.recall import Recall, recall
from limner.eval.metrics.reciprocal_rank import ReciprocalRank, reciprocal_rank
from limner.eval.metrics.rsum import rsum
from limner.eval.metrics.success import Success, success

__all__ = [
    "NDCG",
    "AveragePrecision",
    "Judged",
    "MedianRank",
    "RankMetric",
    "Recall",
    "ReciprocalRank",
    "Success",
    "average_precision",
    "first_rank",
    "judge",
    "ndcg",
    "rank_spread",
    "recall",
    "reciprocal_rank",
    "rsum",
    "success",
]
