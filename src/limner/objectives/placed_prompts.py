"""Each position prompt of a picture answers for the things in its quadrant (card 119, SORCE, arXiv 2505.24441)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.contrast import contrast


@dataclass(frozen=True, slots=True)
class PlacedPrompts:
    """L = mean over texts t about one thing of H(q, softmax over prompts k of s <v_k, t>): of the vectors v_1 ... v_K
    that the prompts give of the thing's picture, that of its quadrant q is the nearest to the text.

    Needs the tokens of a `Focus` (the whole picture's vector first: it takes no part), and the target `quadrant`
    (n,), from 0; -1: it lies across two, nothing is asked. Beside `Contrast` with the similarity `BestVector`, which
    asks only that some vector be near. The paper's objective is not published: this is a reconstruction.
    """

    role: str = "object"
    """Of the texts that are about the thing."""
    target: str = "quadrant"
    weight: float = 1.0
    name: str = "placed_prompts"

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        if features.image.tokens is None:
            raise InputError("position prompts need several vectors a picture: Towers(focus=Focus())")
        if self.target not in features.targets:
            raise InputError(f"position prompts need data with the target {self.target!r}, where a text's thing is")
        features = features.with_role(self.role)
        vectors = features.image.tokens[features.owner, 1:]
        quadrant = features.targets[self.target][features.owner]
        prompts = torch.arange(vectors.shape[1], device=quadrant.device)
        right = (quadrant[:, None] == prompts).to(vectors.dtype)
        return contrast(features.scale * torch.einsum("mkd,md->mk", vectors, features.text.vectors), right)
