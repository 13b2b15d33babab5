"""The tokens of a bundle's graphs: one for each word, named; padding, begin and end left out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from token_model import SIZE, write_token_bundle

from limner.core.types import Tokens
from limner.encode.bundle import Bundle
from limner.encode.manifest import print_manifest, read_manifest
from limner.encode.onnx import OnnxEncoder
from limner.encode.tokenizer import train_tokenizer
from limner.nn.blocks.token_reducer import TokenReducer
from limner.train.export import LATE


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> OnnxEncoder:
    return OnnxEncoder(Bundle.load(write_token_bundle(tmp_path_factory.mktemp("model") / "tokens")))


def test_a_text_has_a_token_for_each_of_its_pieces(encoder: OnnxEncoder):
    texts = ["red", "a red thing and a blue thing", "greyish"]
    made = encoder.encode("text", [encoder.prepare("text", text) for text in texts])[LATE]
    assert isinstance(made, Tokens)
    assert np.diff(made.offsets).tolist() == [len(encoder.pieces(text)) for text in texts]
    assert encoder.pieces(texts[1]) == texts[1].split()
    np.testing.assert_allclose(np.linalg.norm(made.values, axis=1), 1, atol=1e-5)


def test_a_picture_has_a_token_for_each_place_or_for_each_that_is_learnt(encoder: OnnxEncoder, tmp_path: Path):
    picture = Image.new("RGB", (SIZE, SIZE), (200, 30, 30))
    few = OnnxEncoder(Bundle.load(write_token_bundle(tmp_path / "few", TokenReducer(3, inner=4))))
    for one, count, grid in ((encoder, 4, (2, 2)), (few, 3, None)):
        made = one.encode("image", [one.prepare("image", picture)] * 2)[LATE]
        assert isinstance(made, Tokens)
        assert made.offsets.tolist() == [0, count, 2 * count]
        assert one.bundle.manifest.grid == grid
        assert read_manifest(print_manifest(one.bundle.manifest, {}))[0] == one.bundle.manifest


def test_the_grid_is_no_part_of_what_makes_the_vectors(encoder: OnnxEncoder):
    bundle = encoder.bundle
    other = dataclasses.replace(bundle, manifest=dataclasses.replace(bundle.manifest, grid=None))
    assert other.fingerprint == bundle.fingerprint


def test_pieces_are_parts_of_the_text_as_it_was_typed():
    tokenizer = train_tokenizer(["red circle"] * 9, 300, 64)
    text = "  Red   CIRCLE 圆"
    pieces = tokenizer.pieces(text)
    assert len(pieces) == len(tokenizer.encode(text)) - 2
    assert "".join(dict.fromkeys(pieces)) == "RedCIRCLE圆"
    assert pieces.count("圆") == 3  # of three bytes
