"""A model with tokens becomes a bundle with two spaces, is calibrated in both, and can be trained further."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limner.core.types import Dense, Tokens
from limner.data.datasets import open_dataset
from limner.data.world import render_batch
from limner.encode.manifest import RecipeNote
from limner.encode.onnx import OnnxEncoder
from limner.encode.tokenizer import train_tokenizer
from limner.nn.blocks.similarity import BestVector
from limner.nn.blocks.token_reducer import TokenReducer
from limner.nn.heads.focus import Focus
from limner.nn.towers.convolutional_transformer import PictureTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.train.architecture import Architecture
from limner.train.bundling import About, bundle
from limner.train.calibrate import _scores
from limner.train.starting import Built, start_from_bundle

SIZE, COUNT = 32, 24


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    pictures, captions = render_batch(0, 0, COUNT, 48)
    with (folder / "pairs.jsonl").open("w") as lines:
        for row, (pixels, texts) in enumerate(zip(pictures, captions, strict=True)):
            Image.fromarray(pixels).save(folder / f"{row}.png")
            split = "val" if row % 2 else "test"
            lines.write(json.dumps({"image": f"{row}.png", "captions": texts, "split": split}) + "\n")
    return folder / "pairs.jsonl"


@pytest.mark.parametrize(("reducer", "count", "grid"), [(None, 4, (2, 2)), (TokenReducer(3, inner=4), 3, None)])
def test_two_spaces(
    pairs: Path, tmp_path: Path, reducer: TokenReducer | None, count: int, grid: tuple[int, int] | None
):
    validation, test = (open_dataset(pairs, split) for split in ("val", "test"))
    tokenizer = train_tokenizer([text for item in test.items for text in item.texts], 400, 128)
    towers = Towers(PictureTower((8, 8), 16, 1, 2), TextTower(16, 1, 2), 6, tokens=True, reducer=reducer)
    torch.manual_seed(0)
    architecture = Architecture(towers, (3, SIZE, SIZE), tokenizer.vocabulary_size, 128)
    built = Built(architecture.build().eval(), architecture, tokenizer)
    made = bundle(built, About("", "", ""), RecipeNote("t", "0", 0, ""), validation, test, tmp_path / "mine")
    assert [(space.name, space.kind, space.similarity) for space in made.manifest.spaces] == [
        ("dense", "dense", "cosine"),
        ("late", "tokens", "maxsim"),
    ]
    assert made.manifest.grid == grid
    encoder = OnnxEncoder(made)
    encoded = encoder.encode("image", [encoder.prepare("image", Image.new("RGB", (40, 40), "red"))])
    assert isinstance(encoded["dense"], Dense)
    assert isinstance(encoded["late"], Tokens)
    assert len(encoded["late"].values) == count
    for space in ("dense", "late"):
        assert 0 < encoder.calibrate(space, "text", np.float32(0.1)) < 1
    model, _ = start_from_bundle(made.path)
    for name, weight in built.model.state_dict().items():
        torch.testing.assert_close(model.state_dict()[name], weight, atol=1e-3, rtol=1e-3)


def test_focused_vectors_are_a_space(pairs: Path, tmp_path: Path):
    validation, test = (open_dataset(pairs, split) for split in ("val", "test"))
    tokenizer = train_tokenizer([text for item in test.items for text in item.texts], 400, 128)
    tower = PictureTower((8, 8), 16, 1, 2)
    towers = Towers(tower, TextTower(16, 1, 2), 6, similarity=BestVector(), focus=Focus())
    torch.manual_seed(0)
    architecture = Architecture(towers, (3, SIZE, SIZE), tokenizer.vocabulary_size, 128)
    built = Built(architecture.build().eval(), architecture, tokenizer)
    made = bundle(built, About("", "", ""), RecipeNote("t", "0", 0, ""), validation, test, tmp_path / "mine")
    assert [space.name for space in made.manifest.spaces] == ["dense", "focused"]
    encoder = OnnxEncoder(made)
    picture = encoder.encode("image", [encoder.prepare("image", Image.new("RGB", (40, 40), "red"))])
    text = encoder.encode("text", [encoder.prepare("text", "a red star")])
    assert picture["focused"].values.shape == (5, 6)
    assert np.allclose(text["focused"].values, text["dense"].values)
    assert np.allclose(picture["focused"].values[0], picture["dense"].values[0], atol=1e-3)
    model, _ = start_from_bundle(made.path)
    assert torch.allclose(model.focus.queries, built.model.focus.queries, atol=1e-3)


def test_scores_of_tokens_are_the_mean_of_the_best():
    rng = np.random.default_rng(0)
    questions, items = (
        [rng.normal(size=(length, 4)).astype(np.float32) for length in lengths] for lengths in ([2, 1], [3, 1, 2])
    )
    scores = _scores(questions, items)
    for row, question in enumerate(questions):
        for column, item in enumerate(items):
            assert scores[row, column] == pytest.approx((question @ item.T).max(1).mean(), abs=1e-5)
