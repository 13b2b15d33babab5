"""The contract of every metric: a number for each judged query, best for a perfect answer, blind to ties' order."""

import pytest

from limner.core.protocols import Metric
from limner.core.types import Qrels, Run
from limner.eval.metrics import NDCG, AveragePrecision, MedianRank, Recall, ReciprocalRank, Success

METRICS = [Recall(3), Success(3), NDCG(3), AveragePrecision(), ReciprocalRank(), MedianRank()]
QRELS = Qrels({"q": {"a": 1, "b": 0}, "p": {"c": 1}, "silent": {"a": 1}, "none": {"a": 0}})
PERFECT = Run({"q": {"a": 3.0, "b": 1.0, "c": 2.0}, "p": {"c": 5.0, "a": 1.0}, "silent": {"a": 1.0}})
EMPTY = Run({"q": {"b": 1.0}, "p": {}})


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
class TestMetric:
    def test_is_a_metric_with_a_name(self, metric):
        assert isinstance(metric, Metric)
        assert metric.name

    def test_perfect_and_hopeless(self, metric):
        best, worst = metric(PERFECT, QRELS), metric(EMPTY, QRELS)
        assert set(best) == set(worst) == {"q", "p", "silent"}, "a query without a relevant item has no value"
        assert set(best.values()) == {1.0}
        rank = isinstance(metric, MedianRank)
        assert all(value == float("inf") if rank else value == 0 for value in worst.values())

    def test_order_of_the_input_does_not_matter(self, metric):
        forth = Run({"q": {"b": 1.0, "a": 1.0, "c": 1.0}, "p": {"c": 1.0}})
        back = Run({"p": {"c": 1.0}, "q": {"c": 1.0, "a": 1.0, "b": 1.0}})
        assert metric(forth, QRELS) == metric(back, QRELS)
