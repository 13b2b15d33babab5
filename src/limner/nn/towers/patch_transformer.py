"""The vision transformer: a picture cut into patches, then transformer blocks (Dosovitskiy et al. 2021, "ViT")."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.nn.blocks.transformer import TransformerBlock


class PatchTransformer(nn.Module):
    """Pictures (n, 3, size, size) in [0, 1] -> a grid of states (n, (size / patch)^2, width)."""

    def __init__(self, size: int, patch: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        if size % patch:
            raise InputError(f"patches of {patch} do not fill a picture of {size}: choose a number that divides it")
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))
        self.patches = nn.Conv2d(3, width, patch, patch)
        self.position = nn.Parameter(torch.zeros(1, (size // patch) ** 2, width))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.patches((pictures - self.mean) / self.std).flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            x = block(x)
        return self.norm(x)


@dataclass(frozen=True, slots=True)
class PatchTower:
    """Settings of a PatchTransformer."""

    patch: int = 16
    width: int = 192
    depth: int = 4
    heads: int = 3

    def build(self, shape: tuple[int, ...]) -> PatchTransformer:
        """`shape`: (3, size, size) of one picture."""
        return PatchTransformer(shape[-1], self.patch, self.width, self.depth, self.heads)
