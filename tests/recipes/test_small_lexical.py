"""The bundled model with weighted words, at a size of seconds: from the bundle through both stages to a bundle."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from recipes.drawn_sets import write_sets

from limner.encode.onnx import OnnxEncoder
from limner.recipes.small_lexical import recipe
from limner.train.bundling import export_run
from limner.train.runs import Place, measured


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> OnnxEncoder:
    data: Path = write_sets(tmp_path_factory.mktemp("data"))
    run = measured(recipe("debug").method, 0, Place(tmp_path_factory.mktemp("runs"), data))
    return OnnxEncoder(export_run(run.folder, tmp_path_factory.mktemp("bundles") / "mine", data / "flickr8k"))


def test_the_bundle_has_both_spaces(encoder: OnnxEncoder):
    assert {name: space.kind for name, space in encoder.spaces.items()} == {"dense": "dense", "lexical": "sparse"}
    assert encoder.spaces["lexical"].size == 5000
    assert encoder.bundle.manifest.calibration.keys() == {"dense", "lexical"}
    assert "weighted words" in encoder.bundle.card


def test_pictures_and_texts_have_few_words_that_can_be_read(encoder: OnnxEncoder):
    pictures = [encoder.prepare("image", Image.new("RGB", (50, 30), colour)) for colour in ("red", "blue")]
    seen = encoder.encode("image", pictures)["lexical"]
    asked = encoder.encode("text", [encoder.prepare("text", "two dogs on a beach")])["lexical"]
    assert 0 < np.diff(seen.indptr).max() <= 32
    assert 0 < np.diff(asked.indptr).max() <= 64
    # A text begins as its own words: the heaviest ones are among them.
    heaviest = asked.indices[asked.values.argsort()[::-1][:8]]
    assert {"dogs", "beach"} <= {encoder.word("lexical", int(word)) for word in heaviest}
    own = encoder.bare_words("two dogs on a beach")
    assert own.vocabulary_size == asked.vocabulary_size
    assert set(own.indices) & set(asked.indices)
