"""Trained encoders as the ONNX graphs of a bundle: checked against torch, weights stored in half precision.

Weights are kept as float16 and widened by the runtime when it loads them, so the file is half as
large and everything is still computed in float32.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from limner.nn.encoders import ImageEncoder, TextEncoder

OPSET = 18


class _ImageGraph(nn.Module):
    """uint8 (n, size, size, 3) -> dense (n, d): the scaling to [0, 1] belongs to the graph."""

    def __init__(self, encoder: ImageEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, image: Tensor) -> Tensor:
        return self.encoder(image.permute(0, 3, 1, 2).float() / 255)[0]


def image_graph(encoder: ImageEncoder, size: int) -> bytes:
    example = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    return _export(_ImageGraph(encoder), example, {0: "n"}, "image")


def text_graph(encoder: TextEncoder, vocabulary: int) -> bytes:
    example = torch.randint(1, vocabulary, (2, 9))
    example[1, 5:] = 0
    return _export(encoder, example, {0: "n", 1: "t"}, "tokens")


def _export(module: nn.Module, example: Tensor, dynamic: dict[int, str], name: str) -> bytes:
    module = module.eval().float().cpu()
    file = io.BytesIO()
    torch.onnx.export(
        module,
        (example,),
        file,
        input_names=[name],
        output_names=["dense"],
        dynamic_axes={name: dynamic, "dense": {0: "n"}},
        opset_version=OPSET,
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
        if np.abs(values).max(initial=0) >= 65504:
            continue  # beyond the largest float16
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
    for cast in reversed(casts):
        model.graph.node.insert(0, cast)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def run(graph: bytes, inputs: dict[str, Any]) -> np.ndarray:
    """The `dense` output of a graph, to compare it with what torch gives."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (dense,) = session.run(["dense"], inputs)
    return dense
