"""Every metric against an example worked by hand, and against pytrec_eval on random runs."""

import math

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.protocols import Metric
from limner.core.types import Qrels, Run
from limner.eval.metrics import NDCG, AveragePrecision, MedianRank, Recall, ReciprocalRank, Success, rsum

RUN = Run({"dog": {"a": 0.9, "b": 0.8, "c": 0.7, "d": 0.6, "e": 0.5}, "cat": {"e": 2.0, "a": 1.0}, "odd": {"a": 1.0}})
QRELS = Qrels({"dog": {"b": 2, "d": 1, "z": 1, "a": 0}, "cat": {"a": 1, "b": -1}, "cow": {"c": 3}, "none": {"a": 0}})
"""dog: b, d, z are relevant and stand at 2, 4 and nowhere; cat: a at 2; cow: not answered; none: nothing to find."""

IDEAL_DOG = 2 / 1 + 1 / math.log2(3) + 1 / math.log2(4)


@pytest.mark.parametrize(
    ("metric", "name", "dog", "cat", "cow"),
    [
        (Recall(1), "recall@1", 0, 0, 0),
        (Recall(2), "recall@2", 1 / 3, 1, 0),
        (Recall(10), "recall@10", 2 / 3, 1, 0),
        (Success(1), "success@1", 0, 0, 0),
        (Success(2), "success@2", 1, 1, 0),
        (MedianRank(), "median rank", 2, 2, math.inf),
        (ReciprocalRank(), "MRR", 1 / 2, 1 / 2, 0),
        (AveragePrecision(), "mAP", (1 / 2 + 2 / 4 + 0) / 3, 1 / 2, 0),
        (NDCG(3), "nDCG@3", 2 / math.log2(3) / IDEAL_DOG, 1 / math.log2(3), 0),
        (NDCG(10), "nDCG@10", (2 / math.log2(3) + 1 / math.log2(5)) / IDEAL_DOG, 1 / math.log2(3), 0),
    ],
)
def test_worked_by_hand(metric: Metric, name: str, dog: float, cat: float, cow: float) -> None:
    assert isinstance(metric, Metric)
    assert metric.name == name
    assert metric(RUN, QRELS) == pytest.approx({"dog": dog, "cat": cat, "cow": cow})


def test_rsum_adds_up_six_recalls_in_per_cent() -> None:
    assert rsum(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 1.0])) == pytest.approx(250.0)
    assert rsum(np.ones((6, 3))) == pytest.approx(np.full(3, 600.0))


@pytest.mark.parametrize("metric", [Recall, Success, NDCG])
@pytest.mark.parametrize("k", [0, -1])
def test_a_cut_below_one_is_refused(metric: type[Recall], k: int) -> None:
    with pytest.raises(InputError, match="must be 1 or more"):
        metric(k)


ITEMS = [f"item{number}" for number in range(12)]
SCORES = st.dictionaries(
    st.sampled_from(ITEMS), st.one_of(st.integers(0, 3), st.floats(-1, 1, width=32)), min_size=1, max_size=12
)
GRADES = st.dictionaries(st.sampled_from(ITEMS), st.integers(0, 3), min_size=1).filter(lambda g: any(g.values()))


@given(st.lists(st.tuples(SCORES, GRADES), min_size=1, max_size=5), st.sampled_from([1, 2, 5, 10]))
@settings(deadline=None)
def test_agrees_with_trec_eval(queries: list[tuple[dict[str, float], dict[str, int]]], k: int) -> None:
    run = Run({f"q{number}": scores for number, (scores, _) in enumerate(queries)})
    grades = {f"q{number}": judged for number, (_, judged) in enumerate(queries)}
    # The referee breaks ties its own way: it is given our order as distinct scores.
    ordered = {
        query: {item: float(-place) for place, (item, _) in enumerate(ranking)}
        for query, ranking in run.rankings.items()
    }
    pairs = {
        f"recall_{k}": Recall(k),
        f"success_{k}": Success(k),
        "recip_rank": ReciprocalRank(),
        "map": AveragePrecision(),
        f"ndcg_cut_{k}": NDCG(k),
    }
    measures = {f"recall.{k}", f"success.{k}", "recip_rank", "map", f"ndcg_cut.{k}"}
    referee = pytrec_eval.RelevanceEvaluator(grades, measures).evaluate(ordered)
    for theirs, metric in pairs.items():
        expected = {query: values[theirs] for query, values in referee.items()}
        assert metric(run, Qrels(grades)) == pytest.approx(expected, abs=1e-9), metric.name


def test_the_order_of_the_input_cannot_break_ties() -> None:
    qrels = Qrels({"q": {"c": 1}})
    for order in ("abc", "cba", "bca"):
        run = Run({"q": dict.fromkeys(order, 0.5)})
        assert MedianRank()(run, qrels) == {"q": 3.0}
