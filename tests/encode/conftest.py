"""A tiny but real model: graphs, tokenizer and manifest from which the tests make bundles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from limner.core.types import Space
from limner.encode.bundle import Bundle, write_bundle
from limner.encode.manifest import Calibration, ImageInput, Manifest, RecipeNote, TextInput
from limner.encode.tokenizer import Tokenizer, train_tokenizer

SIZE, DIMENSION, CONTEXT, VOCABULARY = 8, 16, 12, 300

IMAGE_GRAPH = """
<ir_version: 9, opset_import: ["": 17]>
image (uint8[n, 8, 8, 3] image) => (float[n, 16] dense) {
    pixels = Cast<to = 1>(image)
    row = Flatten(pixels)
    dense = MatMul(row, weight)
}
"""
TEXT_GRAPH = """
<ir_version: 9, opset_import: ["": 17]>
text (int64[n, t] tokens) => (float[n, 16] dense) {
    vectors = Gather(weight, tokens)
    axis = Constant<value_ints = [1]>()
    dense = ReduceSum<keepdims = 0>(vectors, axis)
}
"""

GraphMaker = Callable[..., bytes]


def _make_graph(text: str, **weights: np.ndarray) -> bytes:
    import onnx

    model = onnx.parser.parse_model(text)
    for name, values in weights.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(values.astype(np.float32), name))
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture(scope="session")
def make_graph() -> GraphMaker:
    """ONNX text (`onnx.parser`) and float32 weights by name -> the bytes of a graph."""
    return _make_graph


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    texts = ["a brown dog runs on the beach", "two dogs play with a red ball", "a girl reads a book on a bench"]
    return train_tokenizer(texts * 3, VOCABULARY, CONTEXT)


@pytest.fixture(scope="session")
def files(tokenizer: Tokenizer) -> dict[str, bytes]:
    """The files of the tiny bundle. Padding has no vector, so it leaves the sum as it is."""
    random = np.random.default_rng(0)
    embeddings = random.normal(size=(tokenizer.vocabulary_size, DIMENSION))
    embeddings[0] = 0
    return {
        "image.onnx": _make_graph(IMAGE_GRAPH, weight=random.normal(size=(SIZE * SIZE * 3, DIMENSION))),
        "text.onnx": _make_graph(TEXT_GRAPH, weight=embeddings),
        "tokenizer.json": tokenizer.to_json(),
        "card.md": "# tiny\nKnows nothing; größer geht nicht.\n".encode(),
    }


@pytest.fixture(scope="session")
def manifest() -> Manifest:
    return Manifest(
        name="tiny",
        spaces=(Space("dense", "dense", DIMENSION, "cosine"),),
        logit_scale=20.0,
        calibration={"dense": {"image": Calibration(12.0, -9.0), "text": Calibration(20.0, -5.0)}},
        licence="Apache-2.0",
        training_data="none: random weights",
        image=ImageInput("image.onnx", SIZE, "stretch", "bilinear"),
        text=TextInput("text.onnx", "tokenizer.json", CONTEXT),
        recipe=RecipeNote("tiny", "0" * 64, 7, "abcdef0"),
        metrics={"flickr8k test text-to-image recall@10": 0.01},
    )


@pytest.fixture
def bundle(tmp_path: Path, manifest: Manifest, files: dict[str, bytes]) -> Bundle:
    """The tiny bundle, written to a folder of the test's own."""
    return write_bundle(tmp_path / "models" / "tiny", manifest, files)


@pytest.fixture
def make_bundle(tmp_path: Path, manifest: Manifest, files: dict[str, bytes]) -> Callable[..., Bundle]:
    """The tiny bundle with other files or other fields in its manifest; what it then does not use is left out."""

    def make(changed: dict[str, bytes] | None = None, /, **fields: object) -> Bundle:
        folder = tmp_path / f"variant-{len(list(tmp_path.iterdir()))}"
        new = dataclasses.replace(manifest, **fields)
        used = {*new.parts.values(), "card.md"}
        contents = files | (changed or {})
        return write_bundle(folder, new, {name: contents[name] for name in used})

    return make
