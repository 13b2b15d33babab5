"""Pairs of one's own: read, split, put into an experiment; states of a frozen tower stand for its pictures."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from train.toy import toy_experiment

from limner.cli import run
from limner.cli.training import place_for
from limner.core.errors import InputError
from limner.data.datasets import open_dataset
from limner.data.world import render_batch
from limner.encode.bundle import Bundle
from limner.recipes.finetune import recipe
from limner.train.corpora.encoded import Encoded
from limner.train.corpora.pairs import LEAST_STEPS, PASSES, Pairs, onto
from limner.train.runs import Place
from limner.train.starting import start_from_bundle
from limner.train.trained import see


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Scenes beside a CSV."""
    (tmp_path / "pictures").mkdir()
    pictures, captions = render_batch(5, 0, 40, 48, captions_each=1)
    rows = ["image,caption"]
    for row, (pixels, (text,)) in enumerate(zip(pictures, captions, strict=True)):
        Image.fromarray(pixels).save(tmp_path / f"pictures/{row}.png")
        rows.append(f'pictures/{row}.png,"{text}"')
    (tmp_path / "pairs.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "pairs.csv"


def told(report: object) -> None: ...


def test_own_pairs_take_the_place_of_the_recipes(pairs, tmp_path):
    arms = recipe("tiny").arms
    place, experiment = place_for(arms["method"], pairs, tmp_path / "runs", told)
    assert experiment.data == Pairs.own(pairs)
    assert experiment.optimiser.steps == LEAST_STEPS
    assert place.data is None
    _, stored = place_for(arms["projectors"], pairs, tmp_path / "runs", told)
    assert stored.data == Encoded(Pairs.own(pairs), arms["projectors"].start)
    sets = tmp_path / "sets"
    (sets / "fashion").mkdir(parents=True)
    place, experiment = place_for(arms["method"], sets, tmp_path / "runs", told)
    assert (place.data, experiment) == (sets, arms["method"])


def test_more_pairs_are_trained_on_longer(tmp_path):
    (tmp_path / "pairs.jsonl").write_text(
        "".join(json.dumps({"image": f"{row}.png", "caption": "x", "split": "train"}) + "\n" for row in range(6400))
    )
    experiment = onto(recipe("tiny").method, Pairs.own(tmp_path / "pairs.jsonl"))
    assert experiment.optimiser.steps == PASSES * 100


def test_what_reads_no_pairs_says_so(pairs, tmp_path):
    with pytest.raises(InputError, match="toy trains on Toy alone: give --data the folder"):
        place_for(toy_experiment(), pairs, tmp_path / "runs", told)


def test_the_splits_are_those_that_evaluate_reads(pairs, tmp_path):
    corpora = Pairs.own(pairs).load(Place(tmp_path / "runs"))
    for corpus, split in ((corpora.train, "train"), (corpora.validation, "val"), (corpora.test, "test")):
        items = open_dataset(pairs, split).items
        assert [texts[0].text for texts in corpus.texts] == [item.texts[0] for item in items]
        first = np.asarray(Image.open(items[0].uri).resize((160, 160), Image.Resampling.BICUBIC))
        np.testing.assert_array_equal(corpus.images[0], first)
    few = dataclasses.replace(Pairs.own(pairs), pictures=3, tested=2).load(Place(tmp_path / "runs"))
    assert (len(few.train), len(few.test)) == (3, 2)


def test_changed_pairs_are_another_experiment(pairs, tmp_path):
    before = Pairs.own(pairs)
    pairs.write_text(pairs.read_text().replace("a ", "one "))
    assert Pairs.own(pairs) != before
    with pytest.raises(InputError, match="the pairs have changed"):
        before.load(Place(tmp_path / "runs"))


def test_stored_states_stand_for_the_pictures(pairs, tmp_path):
    experiment = onto(recipe("tiny").arms["projectors"], Pairs.own(pairs))
    place = Place(tmp_path / "runs")
    pictures, states = experiment.data.data.load(place).test, experiment.data.load(place).test
    model = experiment.start.open().model
    experiment.adapter.attach(model)
    torch.nn.init.normal_(model.image.tower.projector.bent[2].weight, std=0.1)
    model.eval()
    from_pictures = model.image(see(torch.from_numpy(np.array(pictures.images)), 112))
    from_states = model.image(see(torch.from_numpy(np.array(states.images)), 0))
    torch.testing.assert_close(from_states, from_pictures, atol=2e-3, rtol=0)  # states are kept in half precision


def test_three_commands(pairs, tmp_path, capsys):
    mine = tmp_path / "mine"
    train = ["train", "finetune", "--data", str(pairs), "--arm", "projectors", "--set", "optimiser.steps=3"]
    assert run([*train, "--runs", str(tmp_path / "runs"), "--bundle", str(mine)]) == 0
    assert f"The model is in {mine}" in capsys.readouterr().out
    assert run(["evaluate", str(pairs), "--split", "test", "--model", str(mine)]) == 0
    assert "text-to-image recall@10" in capsys.readouterr().out
    assert run(["index", str(tmp_path / "pictures"), "--model", str(mine), "--collection", str(tmp_path / "c")]) == 0
    assert Bundle.load(mine).manifest.recipe.name == "finetune-projectors"
    start_from_bundle(mine)


def test_a_bundle_needs_own_pairs(tmp_path, capsys):
    assert run(["train", "finetune", "--bundle", str(tmp_path / "mine")]) == 2
    assert "--bundle needs pairs of your own" in capsys.readouterr().err
