"""Experiments as values: equal ones share a run, changes go by path, what is wrong is named."""

import dataclasses

import pytest
from train.toy import toy_experiment

from limner.core.errors import InputError
from limner.data.samplers import Shuffled
from limner.objectives.contrast import Contrast
from limner.objectives.targets import Concepts, Groups
from limner.train.experiment import Start
from limner.train.modifiers.teacher import EmaTeacher, TrainedTeacher
from limner.train.recipe import Claim, Recipe
from limner.train.settings import changed


def test_the_fingerprint_is_of_what_decides_the_weights():
    experiment = toy_experiment()
    assert experiment.fingerprint == experiment.replace(name="other", evaluations=()).fingerprint
    assert experiment.fingerprint == toy_experiment(objectives=(Contrast(Groups()),)).fingerprint
    for change in (
        {"objectives": (Contrast(Groups(0.1)),)},
        {"modifiers": (EmaTeacher(),)},
        {"chunks": 2},
        {"start": Start(experiment)},
        {"start": Start(experiment.replace(chunks=3))},
    ):
        assert experiment.replace(**change).fingerprint != experiment.fingerprint, change
    starts = [experiment.replace(start=Start(experiment.replace(chunks=chunks))) for chunks in (1, 3)]
    assert starts[0].fingerprint != starts[1].fingerprint


def test_a_teachers_name_does_not_matter():
    teachers = [toy_experiment(modifiers=(TrainedTeacher(toy_experiment(name=name)),)) for name in ("one", "two")]
    assert teachers[0].fingerprint == teachers[1].fingerprint


def test_a_changed_default_is_noticed():
    experiment = toy_experiment()
    stored = experiment.to_json()
    experiment.check_same(stored)
    stored["optimiser"]["clip"] = 5.0
    with pytest.raises(InputError, match=r"optimiser\.clip"):
        experiment.check_same(stored)
    del stored["optimiser"]["clip"]  # a field that is newer than the run
    experiment.check_same(stored)


def test_what_cannot_be_written_down_is_refused():
    with pytest.raises(InputError, match="plain values"):
        _ = toy_experiment(objectives=(lambda features, head: 0,)).fingerprint


@pytest.mark.parametrize(
    ("change", "get", "value"),
    [
        ("optimiser.steps=800", lambda experiment: experiment.optimiser.steps, 800),
        ("optimiser.rate=1", lambda experiment: experiment.optimiser.rate, 1.0),
        ("objectives.0.weight=2.5", lambda experiment: experiment.objectives[0].weight, 2.5),
        ("half=True", lambda experiment: experiment.half, True),
        ("name=mine", lambda experiment: experiment.name, "mine"),
        ('sampling.texts.roles=["long"]', lambda experiment: experiment.sampling.texts.roles, ("long",)),
    ],
)
def test_set(change, get, value):
    assert get(changed(toy_experiment(), [change])) == value


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("optimiser.step=800", "steps"),
        ("optimiser.steps=many", "int"),
        ("optimiser.steps=1.5", "int"),
        ("objectives.3.weight=1", "list of 1"),
        ("steps", "FIELD=VALUE"),
        ("half=2", "bool"),
    ],
)
def test_a_wrong_set_names_the_mend(change, named):
    with pytest.raises(InputError, match=named) as caught:
        changed(toy_experiment(), [change])
    assert "\n" not in str(caught.value)


def test_files_behind_a_recipe():
    baseline = toy_experiment()
    recipe = Recipe(
        card=23,
        kind="training",
        paper="",
        arms={"method": baseline.replace(modifiers=(EmaTeacher(),)), "baseline": baseline},
        claims=(Claim("it is better", "text-to-image recall@1"),),
    )
    assert [file.name for file in recipe.own_components()] == ["teacher.py"]
    names = [file.name for file in recipe.components()]
    assert names[0] == "teacher.py"
    assert {"contrast.py", "targets.py", "two_towers.py", "text_transformer.py", "samplers.py"} <= set(names)
    assert len(names) == len(set(names))
    otherwise = baseline.replace(objectives=(Contrast(Concepts()),))
    new_part = dataclasses.replace(recipe, arms={"method": otherwise, "baseline": baseline})
    assert [file.name for file in new_part.own_components()] == ["targets.py"]
    fewer = baseline.replace(sampling=dataclasses.replace(baseline.sampling, sampler=Shuffled(5)))
    set_otherwise = dataclasses.replace(recipe, arms={"method": fewer, "baseline": baseline})
    assert [file.name for file in set_otherwise.own_components()] == ["samplers.py"]


def test_a_claim_about_no_arm_is_refused():
    with pytest.raises(InputError, match="ablation"):
        Recipe(1, "model", "", {"method": toy_experiment(), "baseline": toy_experiment()}, (Claim("", "", "ablation"),))
