"""An image tower over a frozen backbone's maps: a projection of each place, then transformer blocks, if any."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.nn.blocks.transformer import TransformerBlock


class MapTransformer(nn.Module):
    """Maps (n, t, channels) -> states (n, t, width).

    Each place goes through Linear(x) + MLP(x), the token projector of Freeze-Align (card 29); attention between
    places follows where `depth` > 0.
    """

    def __init__(self, places: int, channels: int, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.into = nn.LayerNorm(channels)
        self.dropout = nn.Dropout(dropout)
        self.straight = nn.Linear(channels, width)
        self.bent = nn.Sequential(
            nn.Linear(channels, 2 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(2 * width, width)
        )
        self.position = nn.Parameter(torch.zeros(1, places, width))
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, maps: Tensor) -> Tensor:
        x = self.dropout(self.into(maps))
        x = self.straight(x) + self.bent(x) + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


@dataclass(frozen=True, slots=True)
class MapTower:
    """Settings of a MapTransformer."""

    width: int = 192
    depth: int = 0
    heads: int = 4
    dropout: float = 0.2

    def build(self, shape: tuple[int, ...]) -> MapTransformer:
        """`shape`: (t, channels) of one map."""
        return MapTransformer(*shape, self.width, self.depth, self.heads, self.dropout)
