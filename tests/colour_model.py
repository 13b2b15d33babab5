"""A small real model that sees mean colours and reads their names, and pictures of one colour.

`from colour_model import ...` works in every test: pyproject.toml puts this folder on the path.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from limner.core.types import Space
from limner.encode.bundle import write_bundle
from limner.encode.manifest import Calibration, ImageInput, Manifest, TextInput
from limner.encode.tokenizer import PAD, Tokenizer, train_tokenizer

COLOURS = {
    "red": (230, 20, 20),
    "green": (20, 200, 20),
    "blue": (20, 20, 230),
    "yellow": (230, 230, 20),
    "grey": (128, 128, 128),
}


def _centred(colour: tuple[int, int, int]) -> np.ndarray:
    return np.array(colour, np.float32) / 255 - 0.45


def _model(input_: tuple[str, int, list[object]], nodes: list[onnx.NodeProto], **constants: np.ndarray) -> bytes:
    """A graph whose `nodes` make "features" (n, 3) of the input; its length is brought to 1 here."""
    name, kind, shape = input_
    nodes = [
        *nodes,
        helper.make_node("ReduceL2", ["features", "columns"], ["length"], keepdims=1),
        helper.make_node("Max", ["length", "tiny"], ["divisor"]),
        helper.make_node("Div", ["features", "divisor"], ["dense"]),
    ]
    constants |= {"columns": np.array([1]), "tiny": np.array([1e-6], np.float32)}
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info(name, kind, shape)],
        [helper.make_tensor_value_info("dense", TensorProto.FLOAT, ["n", 3])],
        [numpy_helper.from_array(value, key) for key, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10).SerializeToString()


def _image_graph(size: int) -> bytes:
    nodes = [
        helper.make_node("Cast", ["image"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "places"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["share"]),
        helper.make_node("Sub", ["share", "middle"], ["features"]),
    ]
    return _model(
        ("image", TensorProto.UINT8, ["n", size, size, 3]),
        nodes,
        places=np.array([1, 2]),
        white=np.array([255], np.float32),
        middle=np.array([0.45], np.float32),
    )


def _text_graph(tokenizer: Tokenizer) -> bytes:
    # Any other word means nearly nothing: a question of such words alone finds things by chance.
    table = np.random.default_rng(0).normal(0, 0.001, (tokenizer.vocabulary_size, 3)).astype(np.float32)
    table[PAD] = 0  # padding must say nothing
    for word, colour in COLOURS.items():
        (token,) = tokenizer.encode(word)[1:-1]
        table[token] = _centred(colour)
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["vectors"]),
        helper.make_node("ReduceSum", ["vectors", "places"], ["features"], keepdims=0),
    ]
    return _model(("tokens", TensorProto.INT64, ["n", "t"]), nodes, table=table, places=np.array([1]))


def write_colour_bundle(folder: Path, size: int = 8, name: str = "colours") -> Path:
    """A real bundle that sees mean colours and reads their names; another `size` gives another fingerprint."""
    tokenizer = train_tokenizer(list(COLOURS) * 50, vocabulary_size=300, context_length=64)
    calibration = Calibration(slope=10.0, offset=-5.0)
    manifest = Manifest(
        name=name,
        spaces=(Space("dense", "dense", 3, "cosine"),),
        logit_scale=10.0,
        calibration={"dense": {"image": calibration, "text": calibration}},
        licence="Apache-2.0",
        training_data="none: the weights are written by hand",
        image=ImageInput("image.onnx", size, "stretch", "box"),
        text=TextInput("text.onnx", "tokenizer.json", 64),
    )
    files = {
        "image.onnx": _image_graph(size),
        "text.onnx": _text_graph(tokenizer),
        "tokenizer.json": tokenizer.to_json(),
        "card.md": b"# colours\n\nKnows five colours.\n",
    }
    write_bundle(folder, manifest, files)
    return folder


def write_picture(path: Path, colour: str | tuple[int, int, int]) -> Path:
    """A picture of 24 x 16 pixels, all of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (24, 16), COLOURS[colour] if isinstance(colour, str) else colour).save(path)
    return path
