"""The benches are programs, not a package: their folder joins the path, as it does when one is started."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from limner.core.types import Space
from limner.encode.bundle import Bundle, write_bundle
from limner.encode.manifest import Calibration, ImageInput, Manifest, TextInput
from limner.encode.tokenizer import train_tokenizer

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

IMAGE_GRAPH = """
<ir_version: 9, opset_import: ["": 17]>
image (uint8[n, 16, 16, 3] image) => (float[n, 8] dense) {
    pixels = Cast<to = 1>(image)
    row = Flatten(pixels)
    dense = MatMul(row, weight)
}
"""
TEXT_GRAPH = """
<ir_version: 9, opset_import: ["": 17]>
text (int64[n, t] tokens) => (float[n, 8] dense) {
    vectors = Gather(weight, tokens)
    axis = Constant<value_ints = [1]>()
    dense = ReduceSum<keepdims = 0>(vectors, axis)
}
"""


def _graph(text: str, weight: np.ndarray) -> bytes:
    model = onnx.parser.parse_model(text)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight.astype(np.float32), "weight"))
    return model.SerializeToString()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A real model, as small as can be: random projections of pixels and words."""
    rng = np.random.default_rng(0)
    tokenizer = train_tokenizer(["a red circle left of a small blue star", "two green squares"] * 3, 300, 64)
    calibration = {"dense": {"text": Calibration(10.0, -3.0), "image": Calibration(10.0, -6.0)}}
    manifest = Manifest(
        name="bench",
        spaces=(Space("dense", "dense", 8, "cosine"),),
        image=ImageInput("image.onnx", 16, "stretch", "bicubic"),
        text=TextInput("text.onnx", "tokenizer.json", 64),
        logit_scale=10.0,
        calibration=calibration,
        licence="Apache-2.0",
        training_data="none: its weights are random",
    )
    files = {
        "image.onnx": _graph(IMAGE_GRAPH, rng.normal(size=(16 * 16 * 3, 8))),
        "text.onnx": _graph(TEXT_GRAPH, rng.normal(size=(tokenizer.vocabulary_size, 8))),
        "tokenizer.json": tokenizer.to_json(),
    }
    return write_bundle(tmp_path_factory.mktemp("models") / "bench", manifest, files)
