"""Trained encoders as the ONNX graphs of a bundle, and back: the graphs keep every weight under torch's name.

Weights are kept as float16 and widened by the runtime when it loads them, so the file is half as
large and everything is still computed in float32. What can be folded is folded by the runtime, too, and not
here: folding would melt norms into convolutions and turn matrices round, and training could not go on from that.
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from limner.nn.encoders import ImageEncoder, TextEncoder

OPSET = 18
HALF = ".half"
_LARGEST_HALF = 65504
_EXPECTED = (
    (torch.jit.TracerWarning, ""),  # sizes that are constants of the model become constants of the graph
    (DeprecationWarning, ""),  # of this exporter: the other one renames weights and needs two more packages
    (UserWarning, ".*padding_idx"),  # padding would be trained, if the graph were
)


class _Graph(nn.Module):
    """One side; its weights have the names that they have in TwoTowers."""

    def __init__(self, side: str, encoder: nn.Module) -> None:
        super().__init__()
        self.side = side
        self.add_module(side, encoder)


class _ImageGraph(_Graph):
    """uint8 (n, size, size, 3) -> dense (n, d): the scaling to [0, 1] belongs to the graph."""

    def forward(self, image: Tensor) -> Tensor:
        return self.image(image.permute(0, 3, 1, 2).float() / 255)


class _TextGraph(_Graph):
    def forward(self, tokens: Tensor) -> Tensor:
        return self.text(tokens)


def image_graph(encoder: ImageEncoder, size: int) -> bytes:
    example = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    return _export(_ImageGraph("image", encoder), example, {0: "n"}, "image")


def text_graph(encoder: TextEncoder, vocabulary: int) -> bytes:
    example = torch.randint(1, vocabulary, (2, 9))
    example[1, 5:] = 0
    return _export(_TextGraph("text", encoder), example, {0: "n", 1: "t"}, "tokens")


def _export(module: _Graph, example: Tensor, dynamic: dict[int, str], name: str) -> bytes:
    module = module.eval().float().cpu()
    # Of a module in evaluation the exporter would merge weights of equal values, whose names were lost then. Its
    # parts are in evaluation, and PRESERVE exports them so.
    module.training = True
    file = io.BytesIO()
    with warnings.catch_warnings():
        for kind, message in _EXPECTED:
            warnings.filterwarnings("ignore", message, kind)
        torch.onnx.export(
            module,
            (example,),
            file,
            input_names=[name],
            output_names=["dense"],
            dynamic_axes={name: dynamic, "dense": {0: "n"}},
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamo=False,
        )
    return file.getvalue()


def halve(graph: bytes) -> bytes:
    """Store the weight matrices of a graph as float16, with a cast to float32 behind each."""
    model = onnx.load_from_string(graph)
    casts = []
    for weight in model.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or len(weight.dims) < 2:
            continue
        name = weight.name
        values = numpy_helper.to_array(weight)
        if np.abs(values).max(initial=0) > _LARGEST_HALF:
            continue
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + HALF))
        casts.append(helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def weights_of(graph: bytes) -> dict[str, Tensor]:
    """The weights of a graph under their names in torch, those in half precision widened."""
    weights = {}
    for weight in onnx.load_from_string(graph).graph.initializer:
        values = torch.from_numpy(numpy_helper.to_array(weight).copy())
        weights[weight.name.removesuffix(HALF)] = values.float() if values.is_floating_point() else values
    return weights


def run(graph: bytes, inputs: dict[str, Any]) -> np.ndarray:
    """The `dense` output of a graph, to compare it with what torch gives."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (dense,) = session.run(["dense"], inputs)
    return dense
