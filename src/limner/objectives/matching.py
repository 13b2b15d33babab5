"""Image-text matching: does this text belong to this picture, read together (Li et al. 2021, "ALBEF").

    L = mean over pairs of H(belongs, sigmoid(f(states of the picture, states of the text)))

Cards 49 (TCL, arXiv 2202.10401), 23 and 43. Pairs: each text with its picture; with each text one wrong picture and
with each picture one wrong text, drawn by a softmax of the similarities of the batch, so that the likely mistakes
are seen most. f: the text's states look at the picture's (the gated cross-attention of MaskedWords), then at one
another; their mean gives one number.

    needs       image.states and text.states, groups
    siblings    Contrast compares vectors that are made apart; MaskedWords asks for words instead of yes or no
    when        the head is wanted, too: it orders the best candidates of a search by their details
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features
from limner.nn.blocks.cross_attention import GatedCrossAttention
from limner.nn.blocks.transformer import TransformerBlock, masked_mean
from limner.objectives.targets import positives


class MatchingHead(nn.Module):
    """States of n pictures and of n texts, pair by pair -> (n,) logits that they belong together."""

    def __init__(self, width: int, image_width: int, layers: int, heads: int) -> None:
        super().__init__()
        self.look = nn.ModuleList(GatedCrossAttention(width, image_width, heads) for _ in range(layers))
        self.think = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.score = nn.Linear(width, 1)

    def forward(self, image_states: Tensor, text_states: Tensor, text_mask: Tensor | None) -> Tensor:
        """(n, p, image width), (n, t, width), (n, t) -> (n,)"""
        x = text_states
        for look, think in zip(self.look, self.think, strict=True):
            x = think(look(x, image_states), text_mask)
        x = self.norm(x)
        return self.score(x.mean(1) if text_mask is None else masked_mean(x, text_mask)).squeeze(1)


def hard_negatives(scores: Tensor, wrong: Tensor) -> tuple[Tensor, Tensor]:
    """(n, m) logits and which pairs are wrong -> the rows that have a wrong pair, and one drawn column for each."""
    rows = wrong.any(1).nonzero().squeeze(1)
    if not len(rows):
        return rows, rows
    chances = scores.float().masked_fill(~wrong, -torch.inf)[rows].softmax(1)
    return rows, torch.multinomial(chances, 1).squeeze(1)


@dataclass(frozen=True, slots=True)
class Matching:
    layers: int = 1
    heads: int = 4
    weight: float = 1.0
    name: str = "matching"

    def head(self, model: Any) -> nn.Module:
        return MatchingHead(model.text.width, model.image.width, self.layers, self.heads)

    def __call__(self, features: Features, head: Any) -> Tensor:
        image, text = features.image, features.text
        if image.states is None or text.states is None:
            raise InputError("matching needs the states of pictures and texts")
        with torch.no_grad():
            scores, wrong = features.scale * features.scores, ~positives(features)
            pictures, wrong_texts = hard_negatives(scores, wrong)
            texts, wrong_pictures = hard_negatives(scores.T, wrong.T)
        picture_of = torch.cat([features.owner, pictures, wrong_pictures])
        text_of = torch.cat([torch.arange(len(features.owner), device=texts.device), wrong_texts, texts])
        belongs = (torch.arange(len(picture_of), device=texts.device) < len(features.owner)).float()
        mask = None if text.mask is None else text.mask[text_of]
        logits = head(image.states[picture_of], text.states[text_of], mask)
        return F.binary_cross_entropy_with_logits(logits.float(), belongs)
