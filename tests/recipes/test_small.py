"""The recipe of the bundled model, whole, at a size of seconds: data, two stages, export, bundle, card."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from recipes.drawn_sets import write_sets

from limner.core.errors import InputError
from limner.encode.onnx import OnnxEncoder
from limner.recipes.small import recipe
from limner.train.bundling import export_run
from limner.train.runs import Place, Run, measured
from limner.train.starting import open_run


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return write_sets(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def stages(data, tmp_path_factory) -> tuple[Run, Run]:
    """Words and sight."""
    place, method = Place(tmp_path_factory.mktemp("runs"), data), recipe("debug").method
    return measured(method.start.experiment, 0, place), measured(method, 0, place)


def test_sight_is_taught_by_words_that_stand_still(stages):
    words, sight = stages
    log = [json.loads(line) for line in (sight.folder / "log.jsonl").read_text().splitlines()]
    assert {"contrast", "land", "see"} <= log[-1].keys()
    before, after = open_run(words.folder).model, open_run(sight.folder).model
    for name, value in before.text.state_dict().items():
        torch.testing.assert_close(after.text.state_dict()[name], value)
    assert after.log_scale != before.log_scale


def test_a_run_becomes_a_bundle(stages, data, tmp_path):
    bundle = export_run(stages[1].folder, tmp_path / "mine", data / "flickr8k")
    assert bundle.manifest.name == "mine"
    assert bundle.manifest.recipe.fingerprint == recipe("debug").method.fingerprint
    assert "text-to-image recall@10" in bundle.manifest.metrics
    assert "research" in bundle.card
    encoder = OnnxEncoder(bundle)
    prepared = [encoder.prepare("image", Image.new("RGB", (50, 30), colour)) for colour in ("red", "blue")]
    vectors = encoder.encode("image", prepared)["dense"].values
    assert vectors.shape == (2, 256)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-4


def test_the_first_stage_reads_no_pictures(stages, data, tmp_path):
    with pytest.raises(InputError, match="reads maps of a frozen backbone"):
        export_run(stages[0].folder, tmp_path / "words", data / "flickr8k")
