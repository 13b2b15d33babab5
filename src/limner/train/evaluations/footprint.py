"""What a model costs in search: parameters and operations of what is exported, whatever helped to train it."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass

import onnx

from limner.train.export import text_graph
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class Footprint:
    """Parameters of the image tower with its head; weights and nodes of the exported graph of the text tower."""

    def __call__(self, trained: Trained) -> Outcome:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own, of its older interface and of shapes that it traces
            graph = onnx.load_from_string(text_graph(trained.model.text, trained.tokenizer.vocabulary_size)).graph
        image = sum(parameter.numel() for parameter in trained.model.image.parameters())
        return {
            "image tower parameters": Measured.of(image),
            "text graph weights": Measured.of(sum(math.prod(weight.dims) for weight in graph.initializer)),
            "text graph operations": Measured.of(len(graph.node)),
        }
