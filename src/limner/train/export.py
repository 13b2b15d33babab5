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

from limner.nn.blocks.tokens import inner
from limner.nn.encoders import ImageEncoder, TextEncoder
from limner.nn.heads.lexicon import LexiconHeads
from limner.nn.two_towers import focused

OPSET = 18
HALF = ".half"
DENSE, LATE, LEXICAL, FOCUSED = "dense", "late", "lexical", "focused"
"""The spaces of a bundle: one vector for the whole; one for each place and word (late interaction); weighted words;
several of a picture, of which the one that is best for a text's only one counts."""
_LARGEST_HALF = 65504
_EXPECTED = (
    (torch.jit.TracerWarning, ""),  # sizes that are constants of the model become constants of the graph
    (DeprecationWarning, ""),  # of this exporter: the other one renames weights and needs two more packages
    (UserWarning, ".*padding_idx"),  # padding would be trained, if the graph were
)


class _Graph(nn.Module):
    """One side of a model. Weights have the names that they have in TwoTowers; what is not read does not come into it.

    `tokens`: whether it puts out its tokens, too, in the space LATE; `lexicon`: its weighted words, in LEXICAL;
    `focus`: a picture's focused vectors, in FOCUSED.
    """

    outputs: tuple[str, ...]
    """The names of all that it can put out."""

    def __init__(
        self,
        image: ImageEncoder | None,
        text: TextEncoder | None,
        tokens: bool,
        lexicon: LexiconHeads | None,
        focus: nn.Module | None,
    ) -> None:
        super().__init__()
        self.image, self.text, self.tokens, self.lexicon, self.focus = image, text, tokens, lexicon, focus

    def names(self) -> list[str]:
        given = {LEXICAL: self.lexicon is not None, FOCUSED: self.focus is not None, DENSE: True}
        return [name for name in self.outputs if given.get(name, self.tokens)]


class _ImageGraph(_Graph):
    """uint8 (n, size, size, 3) -> dense (n, d), late (n, t, d), lexical (n, V), focused (n, 1 + K, d).

    Scaling belongs to the graph.
    """

    outputs = (DENSE, LATE, LEXICAL, FOCUSED)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        reading = self.image.read(image.permute(0, 3, 1, 2).float() / 255)
        made = [reading.vectors]
        if self.tokens:
            made.append(self.image.tokens(reading.states))
        if self.lexicon is not None:
            lexicon = self.lexicon.of_pictures(reading)
            made.append(self.lexicon.exported_pictures(lexicon))
        if self.focus is not None:
            made.append(focused(self.image, self.focus, reading.vectors, reading.states))
        return tuple(made)


class _TextGraph(_Graph):
    """ids (n, t) -> dense (n, d), late (n, t, d) and which of these are words (n, t), lexical (n, V).

    Focused (n, 1, d): the dense one, as a set of one.
    """

    outputs = (DENSE, LATE, f"{LATE}_mask", LEXICAL, FOCUSED)

    def forward(self, tokens: Tensor) -> tuple[Tensor, ...]:
        reading = self.text.read(tokens)
        made = [reading.vectors]
        if self.tokens:
            made += [self.text.tokens(reading.states), inner(reading.mask)]
        if self.lexicon is not None:
            lexicon = self.lexicon.of_texts(reading, tokens)
            made.append(self.lexicon.exported_texts(lexicon))
        if self.focus is not None:
            made.append(reading.vectors[:, None])
        return tuple(made)


def image_graph(
    encoder: ImageEncoder,
    size: int,
    *,
    tokens: bool = False,
    lexicon: LexiconHeads | None = None,
    focus: nn.Module | None = None,
) -> bytes:
    example = torch.randint(0, 256, (2, size, size, 3), dtype=torch.uint8)
    return _export(_ImageGraph(encoder, None, tokens, lexicon, focus), example, {0: "n"}, "image")


def text_graph(
    encoder: TextEncoder,
    vocabulary: int,
    *,
    tokens: bool = False,
    lexicon: LexiconHeads | None = None,
    focus: nn.Module | None = None,
) -> bytes:
    example = torch.randint(1, vocabulary, (2, 9))
    example[1, 5:] = 0
    return _export(_TextGraph(None, encoder, tokens, lexicon, focus), example, {0: "n", 1: "t"}, "tokens")


def _export(module: _Graph, example: Tensor, dynamic: dict[int, str], name: str) -> bytes:
    module = module.eval().float().cpu()
    names = module.names()
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
            output_names=names,
            dynamic_axes={name: dynamic, **{output: _axes(output, dynamic) for output in names}},
            opset_version=OPSET,
            training=torch.onnx.TrainingMode.PRESERVE,
            do_constant_folding=False,
            dynamo=False,
        )
    return file.getvalue()


def _axes(output: str, dynamic: dict[int, str]) -> dict[int, str]:
    """Only the states of words have an axis for the words."""
    return dynamic if output.startswith(LATE) else {0: dynamic[0]}


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


def run(graph: bytes, inputs: dict[str, Any], output: str = DENSE) -> np.ndarray:
    """An output of a graph, to compare it with what torch gives."""
    import onnxruntime

    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (values,) = session.run([output], inputs)
    return values
