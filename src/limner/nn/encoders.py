"""Towers with heads: what turns pictures, words and a teacher's maps into unit vectors of one space."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nn.towers.convolutional_transformer import ConvolutionalTransformer
from limner.nn.towers.text_transformer import PADDING, TextTransformer


class ImageEncoder(nn.Module):
    """Pictures (n, 3, size, size) in [0, 1] -> unit vectors (n, d) and the grid of tokens (n, t, width)."""

    def __init__(self, tower: ConvolutionalTransformer, width: int, dimension: int) -> None:
        super().__init__()
        self.tower = tower
        self.attention = nn.Linear(width, 1)
        self.project = nn.Linear(2 * width, dimension)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.tower(pictures)
        attended = (self.attention(tokens).softmax(1) * tokens).sum(1)
        pooled = torch.cat([tokens.mean(1), attended], dim=-1)
        return F.normalize(self.project(pooled).float(), dim=-1), tokens


class TextEncoder(nn.Module):
    """Token ids (n, t) -> unit vectors (n, d)."""

    def __init__(self, tower: TextTransformer, width: int, dimension: int) -> None:
        super().__init__()
        self.tower = tower
        self.project = nn.Linear(width, dimension)

    def forward(self, ids: Tensor) -> Tensor:
        return F.normalize(self.project(self.tower(ids)).float(), dim=-1)


class MapReader(nn.Module):
    """A teacher's maps (n, t, channels) -> unit vectors (n, d): the frozen teacher as an image encoder."""

    def __init__(self, channels: int, hidden: int, dimension: int, dropout: float) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Dropout(dropout),
            nn.Linear(channels, hidden),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, dimension),
        )

    def forward(self, maps: Tensor) -> Tensor:
        return F.normalize(self.mlp(maps.mean(1)).float(), dim=-1)


def encode_in_buckets(encode: Callable[[Tensor], Tensor], ids: Tensor, buckets: int) -> Tensor:
    """`encode(ids)`, (n, t) -> (n, d), without computing most of the padding: texts of like length go together."""
    lengths = (ids != PADDING).sum(1)
    order = lengths.argsort()
    parts = [encode(ids[rows, : int(lengths[rows].max())]) for rows in order.chunk(buckets)]
    return torch.cat(parts)[order.argsort()]
