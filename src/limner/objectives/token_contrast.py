"""Words and places decide: InfoNCE over the token-wise maximum similarity (card 19, FILIP, arXiv 2111.07783)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from limner.core.features import Features
from limner.nn.blocks.tokens import token_scores
from limner.objectives.contrast import contrast
from limner.objectives.targets import Groups, Targets

MOST = 1000.0
"""Bound of the inverse temperature: ten times that of CLIP, as a mean over tens of places moves so much less."""


class TokenScale(nn.Module):
    """The learned inverse temperature of a mean over tokens, which moves less than one cosine does."""

    def __init__(self, first: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(first)))

    def forward(self) -> Tensor:
        return self.log_scale.clamp(0, math.log(MOST)).exp()


@dataclass(frozen=True, slots=True)
class TokenContrast:
    """`contrast` in both directions, each with the score of the side that asks: for a picture among the texts the mean
    over its places of their best word, for a text among the pictures the mean over its words of their best place.

    Needs groups and tokens of both sides (FILIP's patches; with a reducer of the model Wukong's few learnt tokens,
    card 25). Alone, it teaches the token space only; a `Contrast` beside it teaches the vectors of the whole. The
    temperature is its own. The products of all places and all words of the batch are never held at once.
    """

    targets: Targets = Groups()
    scale: float = 30.0
    """The inverse temperature to begin with."""
    role: str = ""
    """Only the texts of this role; empty: all."""
    weight: float = 1.0
    name: str = "token_contrast"

    def head(self, model: Any) -> TokenScale:
        return TokenScale(self.scale)

    def __call__(self, features: Features, head: TokenScale) -> Tensor:
        if self.role:
            features = features.with_role(self.role)
        features = features.replace(scale=head())
        pictures_ask, texts_ask = token_scores(features.image, features.text)
        of_pictures, of_texts = self.targets(features, (features.scale * texts_ask).detach())
        rows = contrast(features.scale * pictures_ask, of_pictures)
        return (rows + contrast(features.scale * texts_ask.T, of_texts)) / 2
