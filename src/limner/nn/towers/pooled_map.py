"""An image tower over a frozen backbone's maps that reads their mean alone: one hidden layer, no places."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn


class PooledMap(nn.Module):
    """Maps (n, t, channels) -> one state a picture (n, 1, width)."""

    def __init__(self, channels: int, width: int, dropout: float) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels), nn.Dropout(dropout), nn.Linear(channels, width), nn.GELU(), nn.Dropout(dropout)
        )

    def forward(self, maps: Tensor) -> Tensor:
        return self.mlp(maps.mean(1, keepdim=True))


@dataclass(frozen=True, slots=True)
class PooledMapTower:
    """Settings of a PooledMap."""

    width: int = 1024
    dropout: float = 0.3

    def build(self, shape: tuple[int, ...]) -> PooledMap:
        """`shape`: (t, channels) of one map."""
        return PooledMap(shape[1], self.width, self.dropout)
