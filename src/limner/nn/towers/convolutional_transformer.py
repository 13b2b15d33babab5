"""The image tower: a few residual convolutions, then a few transformer blocks over the remaining grid.

Convolutions see edges and textures from little data; attention then joins the parts (Xiao et al. 2021,
"Early Convolutions Help Transformers See Better").
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.nn.blocks.transformer import TransformerBlock


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch norm, and a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.second_norm.weight)  # starts as identity
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(stride) if stride > 1 else nn.Identity(),
                nn.Conv2d(inputs, outputs, 1, bias=False),
                nn.BatchNorm2d(outputs),
            )

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.shortcut(x) + self.second_norm(self.second(y)))


class ConvolutionalTransformer(nn.Module):
    """Pictures (n, 3, size, size) in [0, 1] -> a grid of tokens (n, (size / 16)^2, width).

    `widths`: channels at stride 4 and 8; `width`: at stride 16, where the transformer works.
    """

    def __init__(self, size: int, widths: tuple[int, int], width: int, depth: int, heads: int) -> None:
        super().__init__()
        narrow, middle = widths
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.stem = nn.Sequential(
            nn.Conv2d(3, narrow // 2, 3, 2, 1, bias=False),
            nn.BatchNorm2d(narrow // 2),
            nn.ReLU(),
            ResidualBlock(narrow // 2, narrow, 2),
            ResidualBlock(narrow, narrow),
            ResidualBlock(narrow, middle, 2),
            ResidualBlock(middle, middle),
            ResidualBlock(middle, width, 2),
        )
        self.grid = size // 16
        self.position = nn.Parameter(torch.zeros(1, self.grid**2, width))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.blocks = nn.Sequential(*(TransformerBlock(width, heads) for _ in range(depth)))
        self.norm = nn.LayerNorm(width)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.stem((pictures - self.mean) / self.std)
        tokens = x.flatten(2).transpose(1, 2) + self.position
        return self.norm(self.blocks(tokens))


@dataclass(frozen=True, slots=True)
class PictureTower:
    """Settings of a ConvolutionalTransformer."""

    widths: tuple[int, int] = (24, 48)
    width: int = 128
    depth: int = 2
    heads: int = 4

    def build(self, shape: tuple[int, ...]) -> ConvolutionalTransformer:
        """`shape`: (3, size, size) of one picture, `size` a multiple of 16."""
        return ConvolutionalTransformer(shape[-1], self.widths, self.width, self.depth, self.heads)
