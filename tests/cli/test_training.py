"""`limner recipe`, `train` and `reproduce` on drawn scenes, and what they say of a person's mistakes."""

import json
from pathlib import Path

import pytest

from limner.cli import run
from limner.train import results

TOY = '''"""Toy: two towers on 48 drawn scenes."""

from dataclasses import replace

from limner.recipes.align import scenes
from limner.objectives.contrast import Contrast
from limner.objectives.targets import Groups
from limner.train.recipe import Claim, Recipe


def recipe(scale="tiny"):
    baseline = scenes("debug")
    return Recipe(
        card=17,
        kind="objective",
        paper="none",
        arms={"method": baseline.replace(name="toy", objectives=(Contrast(Groups(0.1)),)), "baseline": baseline},
        claims=(Claim("smoothing finds more", "text-to-image recall@5"),),
        seeds=(0, 1),
    )
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "toy.py").write_text(TOY)
    return "./toy.py"


def test_train_tells_what_was_measured_and_where(toy, capsys):
    assert run(["train", toy, "--set", "optimiser.steps=3"]) == 0
    printed = capsys.readouterr().out
    assert "text-to-image recall@1" in printed
    (folder,) = Path("runs").glob("*/seed-0")
    assert str(folder) in printed
    assert (folder / "checkpoint.pt").exists()
    assert json.loads((folder / "log.jsonl").read_text().splitlines()[-1])["step"] == 3


def test_reproduce_fills_a_table(toy, capsys):
    assert run(["reproduce", toy, "--table", "expected.yaml"]) == 0
    assert "smoothing finds more" in capsys.readouterr().out
    row = results.read(Path("expected.yaml"))["toy"]
    assert row["command"] == "limner reproduce ./toy.py"
    assert len(row["claims"][0]["by_seed"]) == 2


def test_list_and_show(capsys):
    assert run(["recipe", "list"]) == 0
    listed = capsys.readouterr().out
    assert "101  unicl" in listed
    assert run(["recipe", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["unicl"]["card"] == 101
    assert "limner/objectives/boost.py" in rows["deep_boosting"]["files"]
    assert run(["recipe", "show", "deep_boosting"]) == 0
    shown = capsys.readouterr().out
    assert "its own    limner/objectives/boost.py" in shown
    assert "shared     limner/nn/two_towers.py" in shown


def test_new_writes_a_recipe_that_loads(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["recipe", "new", "mine"]) == 0
    assert run(["recipe", "show", "./mine.py"]) == 0
    assert "infonce" in capsys.readouterr().out
    assert run(["recipe", "new", "mine"]) == 2
    assert run(["recipe", "new", "Not A Name"]) == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "nothing-like-it"], "limner recipe list"),
        (["train", "align", "--scale", "huge"], "debug, tiny or full"),
        (["train", "align", "--set", "optimiser.stepz=1"], "steps"),
        (["train", "align", "--data", "/nowhere/at/all"], "not there"),
        (["reproduce", "unicl.py"], "no such recipe file"),
    ],
)
def test_a_mistake_is_one_line(arguments, told, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == 2
    complaint = capsys.readouterr().err
    assert told in complaint
    assert complaint.count("\n") == 1
