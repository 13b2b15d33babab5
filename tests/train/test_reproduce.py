"""Runs are done once, claims are judged on pairs, and the table tells what was seen."""

import json

import numpy as np
import pytest
from train.toy import toy_experiment

from limner.core.errors import InputError
from limner.objectives.contrast import Contrast
from limner.train import results
from limner.train.outcome import Measured
from limner.train.recipe import Claim, Recipe
from limner.train.reproduce import judge, reproduce, row
from limner.train.runs import Place, measured

METRIC = "recall"
CLAIM = Claim("it finds more", METRIC)


def outcomes(mean: float, seeds: int = 3, *, spread: float = 0.0, start: int = 0) -> list[dict[str, Measured]]:
    """Of 200 questions in clusters of two; `start` decides which questions are hard, `spread` how seeds differ."""
    hard = np.random.default_rng(start).random(200)
    return [{METRIC: Measured.of(hard < mean + spread * (seed - 1), np.arange(200) // 2)} for seed in range(seeds)]


def test_a_real_difference_holds():
    judged = judge(CLAIM, outcomes(0.6), outcomes(0.4))
    assert judged.verdict == "holds"
    assert judged.low < judged.difference < judged.high
    assert judged.difference == pytest.approx(judged.arm - judged.than)


def test_no_difference_is_not_seen():
    assert judge(CLAIM, outcomes(0.5), outcomes(0.5)).verdict == "not seen"
    noisy = judge(CLAIM, outcomes(0.52, spread=0.1), outcomes(0.5, spread=-0.1))
    assert noisy.verdict == "not seen"
    assert noisy.low < 0 < noisy.high


def test_the_opposite_is_contradicted():
    assert judge(CLAIM, outcomes(0.4), outcomes(0.6)).verdict == "contradicted"
    lower = Claim("it errs less", METRIC, lower=True)
    assert judge(lower, outcomes(0.4), outcomes(0.6)).verdict == "holds"


def test_margins():
    assert judge(Claim("", METRIC, margin=0.3), outcomes(0.6), outcomes(0.4)).verdict != "holds"
    assert judge(Claim("loses at most 5 points", METRIC, margin=-0.05), outcomes(0.5), outcomes(0.5)).verdict == "holds"


def test_one_seed_against_the_rest_is_not_enough():
    arm = outcomes(0.9)[:2] + outcomes(0.3)[:1]
    assert judge(CLAIM, arm, outcomes(0.5)).verdict == "not seen"


def test_pairing_narrows_the_interval():
    paired = judge(CLAIM, outcomes(0.55), outcomes(0.5))
    strangers = judge(CLAIM, outcomes(0.55), outcomes(0.5, start=9))
    assert paired.high - paired.low < strangers.high - strangers.low


def test_single_numbers_are_compared_over_seeds():
    arm = [{METRIC: Measured.of(value)} for value in (0.8, 0.82, 0.81)]
    than = [{METRIC: Measured.of(value)} for value in (0.7, 0.71, 0.75)]
    assert judge(CLAIM, arm, than).verdict == "holds"


def test_a_metric_that_nobody_measured_names_those_there_are():
    with pytest.raises(InputError, match="recall"):
        judge(Claim("", "precision"), outcomes(0.5), outcomes(0.5))


def toy_recipe() -> Recipe:
    baseline = toy_experiment()
    return Recipe(
        card=17,
        kind="objective",
        paper="A paper",
        arms={"method": baseline.replace(name="heavier", objectives=(Contrast(weight=2.0),)), "baseline": baseline},
        claims=(Claim("it finds more", "text-to-image recall@5"), Claim("same", "text-to-image recall@1", margin=-1.0)),
        seeds=(0, 1),
        notes="A toy.",
    )


def test_reproduce_trains_once_and_fills_the_table(tmp_path):
    place = Place(tmp_path / "runs")
    recipe = toy_recipe()
    first = reproduce(recipe, place)
    logs = sorted(place.runs.glob("*/seed-*/log.jsonl"))
    assert len(logs) == 4
    times = [log.stat().st_mtime_ns for log in logs]
    again = reproduce(recipe, place)
    assert [log.stat().st_mtime_ns for log in logs] == times
    assert [one.by_seed for one in first.judged] == [one.by_seed for one in again.judged]
    assert all((log.parent / "curves.png").exists() for log in logs)

    table = tmp_path / "bench" / "expected.yaml"
    table.parent.mkdir()
    results.record(table, "toy", row("limner reproduce toy", recipe, first))
    assert list(results.write(table, "another", row("limner reproduce another", recipe, first))) == ["another", "toy"]
    rows = results.read(table)
    told = rows["toy"]["claims"][0]
    assert told["values"] == [round(first.judged[0].arm, 4), round(first.judged[0].than, 4)]
    assert rows["toy"]["status"] in ("holds", "holds in part", "does not hold here")
    page = results.page(rows)
    assert "it finds more" in page
    assert "A toy." in page
    assert rows["toy"]["status"] in page


def test_the_same_seed_gives_the_same_numbers(tmp_path):
    one, other = (measured(toy_experiment(), 3, Place(tmp_path / name)).outcome for name in ("a", "b"))
    for name in one:
        assert np.array_equal(one[name].values, other[name].values)


def test_a_new_evaluation_is_measured_without_training_again(tmp_path):
    place = Place(tmp_path)
    run = measured(toy_experiment(), 0, place)
    checkpoint = (run.folder / "checkpoint.pt").stat().st_mtime_ns
    evaluations = (*toy_experiment().evaluations, toy_experiment().evaluations[0].__class__("validation", name="val"))
    more = measured(toy_experiment(evaluations=evaluations), 0, place)
    assert more.folder == run.folder
    assert "val text-to-image recall@1" in more.outcome
    assert (run.folder / "checkpoint.pt").stat().st_mtime_ns == checkpoint
    assert json.loads((run.folder / "outcome.json").read_text())["parameters"] > 0


def test_a_table_that_is_none_is_named(tmp_path):
    path = tmp_path / "expected.yaml"
    path.write_text("- a\n- b\n")
    with pytest.raises(InputError, match=r"expected\.yaml"):
        results.read(path)
