"""UniPT: a light network beside a frozen trunk reads all of its layers (card 47, CVPR 2024, arXiv 2308.14316).

    t_l = LN(D_l h_l)                     every layer's states, narrow                    (n, t, narrow)
    A_l = L1(ReLU(a t_l^T)),  a = D h     who looks where, sparse; a is the anchor        (n, t, t)
    m_l = (A_l + I) t_l                   each layer on its own, no chain
    c   = softmax_l w^T(mean a * mean t_l)
    h'  = h + U ReLU(a + P sum_l c_l m_l)

No gradient runs through the trunk, so its activations need not be kept. U is zero at first, where the model is
what it was; the residual around U in the version for sequences is ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.nn.adapters.freezing import FrozenTower, blocks_of, encoders, free_projection, freeze
from limner.nn.blocks.transformer import masked_mean
from limner.nn.two_towers import TwoTowers

Attention = Literal["sparse", "softmax"]


class SideTower(FrozenTower):
    def __init__(self, trunk: nn.Module, width: int, narrow: int, attention: Attention, *, confidence: bool) -> None:
        super().__init__(trunk)
        self.attention = attention
        self.anchor = nn.Linear(width, narrow)
        self.down = nn.ModuleList(
            nn.Sequential(nn.Linear(width, narrow), nn.LayerNorm(narrow)) for _ in blocks_of(trunk)
        )
        self.confidence = nn.Linear(narrow, 1) if confidence else None
        self.inner = nn.Linear(narrow, narrow)
        self.up = nn.Linear(narrow, width)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def change(self, hidden: list[Tensor], states: Tensor, mask: Tensor | None) -> Tensor:
        anchor = self.anchor(states)
        layers = [down(one) for down, one in zip(self.down, hidden, strict=True)]
        read = torch.stack([self.interact(anchor, layer, mask) for layer in layers], 1)
        weights = self.confidences(anchor, layers, mask)
        mixed = (weights[:, :, None, None] * read).sum(1)
        return states + self.up(torch.relu(anchor + self.inner(mixed)))

    def interact(self, anchor: Tensor, layer: Tensor, mask: Tensor | None) -> Tensor:
        """(n, t, narrow) of the anchor and of a layer -> (n, t, narrow)"""
        scores = anchor @ layer.transpose(1, 2)
        if self.attention == "softmax":
            if mask is not None:
                scores = scores.masked_fill(~mask[:, None], -1e4)
            looks = scores.softmax(-1)
        else:
            looks = torch.relu(scores)
            if mask is not None:
                looks = looks * mask[:, None]
            looks = looks / looks.sum(-1, keepdim=True).clamp(min=1e-6)
        return looks @ layer + layer

    def confidences(self, anchor: Tensor, layers: list[Tensor], mask: Tensor | None) -> Tensor:
        """(n, layers), sum 1: how much each layer counts."""
        if self.confidence is None:
            return anchor.new_full((anchor.shape[0], len(layers)), 1 / len(layers))

        def mean(x: Tensor) -> Tensor:
            return x.mean(1) if mask is None else masked_mean(x, mask)

        given = [self.confidence(mean(anchor) * mean(layer)) for layer in layers]
        return torch.cat(given, 1).softmax(1)


@dataclass(frozen=True, slots=True)
class SideNetwork:
    """`reduction`: the side network is so many times narrower than the tower. The rest is for ablations."""

    reduction: int = 2
    attention: Attention = "sparse"
    confidence: bool = True
    """False: every layer counts the same."""
    sides: tuple[str, ...] = ("image", "text")
    projections: bool = False
    """Train how states are pooled and projected, too: where the task is new, not only the world."""

    def __post_init__(self) -> None:
        if self.attention not in ("sparse", "softmax"):
            raise InputError(f"attention is 'sparse' or 'softmax', not {self.attention!r}")

    def attach(self, model: TwoTowers) -> None:
        """Raises InputError where a tower has no transformer blocks."""
        freeze(model)
        for encoder in encoders(model, self.sides):
            narrow = max(1, encoder.width // self.reduction)
            encoder.tower = SideTower(encoder.tower, encoder.width, narrow, self.attention, confidence=self.confidence)
            if self.projections:
                free_projection(encoder)
