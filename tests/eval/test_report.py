"""Intervals that hold what they promise, pairs compared fairly, tables that read the same in three forms."""

import json
from dataclasses import replace

import numpy as np
import pytest

from limner.core.errors import InputError
from limner.core.types import Qrels, Run
from limner.eval.compare import compare
from limner.eval.intervals import Sample, bootstrap, interval, p_value
from limner.eval.metrics import MedianRank, Recall
from limner.eval.report import RSUM, Report, evaluate_run
from limner.eval.retrieval import evaluate_vectors


def sample(values: np.ndarray, clusters: np.ndarray | None = None, statistic: str = "mean") -> Sample:
    numbers = np.arange(len(values)) if clusters is None else clusters
    return Sample("x", values, [str(row) for row in range(len(values))], numbers, statistic)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(150):
        values = (rng.random(150) < 0.3).astype(float)
        low, high = interval(bootstrap([sample(values)], draws=150, seed=trial)[0], 0.95)
        covered += low <= 0.3 <= high
    assert 0.88 <= covered / 150 <= 0.99


def test_queries_of_one_cluster_are_one_observation() -> None:
    # Five captions that always succeed or fail together say no more than one.
    values = (np.random.default_rng(1).random(100) < 0.5).astype(float)
    repeated, clusters = np.repeat(values, 5), np.repeat(np.arange(100), 5)
    single = bootstrap([sample(values)], draws=300, seed=0)
    assert np.allclose(bootstrap([sample(repeated, clusters)], draws=300, seed=0), single)
    apart = bootstrap([sample(repeated)], draws=300, seed=0)
    assert apart.std() < 0.6 * single.std()


def test_bootstrap_of_a_median_is_the_median_of_each_draw() -> None:
    values = np.array([1.0, 2.0, np.inf, 7.0, 3.0])
    drawn = bootstrap([sample(values, statistic="median")], draws=50, seed=3)[0]
    rng = np.random.default_rng(3)
    assert drawn.tolist() == [np.median(values[rng.integers(5, size=5)]) for _ in range(50)]
    assert np.isfinite(drawn).any()
    assert np.isinf(drawn).any()


def test_samples_of_different_clusters_cannot_be_drawn_together() -> None:
    with pytest.raises(InputError, match="same clusters"):
        bootstrap([sample(np.ones(3)), sample(np.ones(4))], draws=2, seed=0)
    with pytest.raises(InputError, match="nothing to measure"):
        bootstrap([sample(np.ones(0))], draws=2, seed=0)


def noisy(noise: float, seed: int, *, pictures: int = 200) -> Report:
    truth, rng = np.random.default_rng(0), np.random.default_rng(seed)
    images = truth.normal(size=(pictures, 32))
    owner = np.repeat(np.arange(pictures), 3)
    captions = images[owner] + noise * rng.normal(size=(pictures * 3, 32))
    return replace(evaluate_vectors(images, captions, owner, name=f"noise {noise}"), draws=200)


def test_systems_that_are_alike_get_a_winner_no_oftener_than_the_level_says() -> None:
    pairs = [compare(noisy(4.0, 2 * seed, pictures=60), noisy(4.0, 2 * seed + 1, pictures=60)) for seed in range(20)]
    for name in (RSUM, "text-to-image recall@10", "text-to-image median rank"):
        assert sum(pair[name].verdict != "no difference seen" for pair in pairs) <= 4  # 1 expected
        assert sum(pair[name].p_value <= 0.05 for pair in pairs) <= 4


def test_a_real_handicap_is_seen() -> None:
    worse = compare(noisy(4.0, 1), noisy(6.0, 2))
    assert worse["text-to-image recall@10"].verdict == "second lower"
    assert worse["text-to-image median rank"].verdict == "second higher"
    assert worse[RSUM].p_value < 0.01
    assert worse[RSUM].difference == pytest.approx(
        100 * sum(row.difference for row in worse.rows if "recall@" in row.name or "success@" in row.name)
    )


def test_a_system_does_not_differ_from_itself() -> None:
    report = noisy(4.0, 1)
    for row in compare(report, report).rows:
        assert (row.difference, row.low, row.high, row.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_the_randomisation_test_is_exact_on_a_small_case() -> None:
    # One query of ten gains: swapped or not, the difference is as large, so chance explains all of it.
    run = {f"q{number}": {"a": 1.0, "b": 0.5} for number in range(10)}
    qrels = Qrels({query: {"b": 1} for query in run})
    first = evaluate_run(Run(run), qrels, title="t", metrics=[Recall(1)])
    second = evaluate_run(Run(run | {"q0": {"b": 2.0, "a": 1.0}}), qrels, title="t", metrics=[Recall(1)])
    row = compare(first, second)["recall@1"]
    assert row.difference == pytest.approx(0.1)
    assert row.p_value == 1.0
    assert p_value(0.1, np.zeros(99)) == pytest.approx(0.01)


def test_only_the_same_queries_and_metrics_can_be_compared() -> None:
    with pytest.raises(InputError, match="same queries"):
        compare(noisy(4.0, 1), noisy(4.0, 1, pictures=100))
    run, qrels = Run({"q": {"a": 1.0}}), Qrels({"q": {"a": 1}})
    with pytest.raises(InputError, match="different metrics"):
        compare(
            evaluate_run(run, qrels, title="t", metrics=[Recall(1)]),
            evaluate_run(run, qrels, title="t", metrics=[Recall(5)]),
        )


def test_a_run_with_unanswered_queries_says_so_and_counts_them() -> None:
    report = evaluate_run(
        Run({"a": {"x": 1.0}}), Qrels({"a": {"x": 1}, "b": {"x": 1}, "c": {"x": 1}}), title="t", metrics=[Recall(1)]
    )
    assert report["recall@1"].value == pytest.approx(1 / 3)
    assert report.notes == ("2 judged queries have no answer in the run and count as not found.",)
    with pytest.raises(InputError, match="no query has a relevant item"):
        evaluate_run(Run({}), Qrels({"a": {"x": 0}}), title="t")


def test_clusters_of_a_run_by_name() -> None:
    run = Run({f"p{number // 2}#{number % 2}": {f"p{number // 2}": 1.0} for number in range(6)})
    qrels = Qrels({query: {query.split("#")[0]: 1} for query in run.rankings})
    clusters = {query: query.split("#")[0] for query in run.rankings}
    report = evaluate_run(run, qrels, title="t", metrics=[Recall(1)], clusters=clusters, resampled="images")
    assert report.samples[0].clusters.tolist() == [0, 0, 1, 1, 2, 2]
    assert "over images" in report.text()


def test_the_three_forms_say_the_same() -> None:
    report = evaluate_run(
        Run({"a": {"x": 1.0, "y": 0.5}, "b": {"x": 1.0}}),
        Qrels({"a": {"y": 1}, "b": {"z": 1}}),
        title="tiny test: 2 queries, pool of 2",
        metrics=[Recall(1), Recall(2), MedianRank()],
        facts={"model": "none"},
    )
    assert report.text().splitlines() == [
        "tiny test: 2 queries, pool of 2",
        "model: none",
        "",
        "metric        value  95 % interval  queries",
        "recall@1      0.0 %     0.0 to 0.0        2",
        "recall@2     50.0 %   0.0 to 100.0        2",
        "median rank     inf     2.0 to inf        2",
        "",
        "Intervals: percentile bootstrap over queries, 1,000 draws, seed 0.",
    ]
    assert "| recall@2 | 50.0 % | 0.0 to 100.0 | 2 |" in report.markdown()
    loaded = json.loads(report.json())
    assert loaded["facts"] == {"model": "none"}
    assert loaded["rows"][1] == {
        "metric": "recall@2",
        "value": 0.5,
        "low": 0.0,
        "high": 1.0,
        "queries": 2,
        "unit": "share",
    }
    assert loaded["rows"][2]["value"] is None
    with pytest.raises(InputError, match="it has: recall@1, recall@2, median rank"):
        report["recall@3"]
