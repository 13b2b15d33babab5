"""Prompt tuning: learned vectors that stand before the words or places in every block of a frozen tower.

Jia et al. 2022 (VPT-deep, arXiv 2203.12119), for both towers as in Khattak et al. 2023 (MaPLe); card 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.nn.adapters.freezing import blocks_of, encoders, freeze
from limner.nn.two_towers import TwoTowers


class PromptedBlock(nn.Module):
    """Prompts (p, width) go into the block before the states and are left out of what it gives."""

    def __init__(self, block: nn.Module, prompts: int, width: int) -> None:
        super().__init__()
        self.block = block
        self.prompts = nn.Parameter(0.02 * torch.randn(prompts, width))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (n, t, width); mask (n, t), True where a token is real."""
        n, p = x.shape[0], len(self.prompts)
        if mask is not None:
            mask = torch.cat([mask.new_ones(n, p), mask], 1)
        return self.block(torch.cat([self.prompts.expand(n, -1, -1), x], 1), mask)[:, p:]


@dataclass(frozen=True, slots=True)
class Prompts:
    """`count`: prompts in each block of a tower."""

    count: int = 4
    sides: tuple[str, ...] = ("image", "text")

    def attach(self, model: TwoTowers) -> None:
        """Raises InputError where a tower has no transformer blocks."""
        freeze(model)
        for encoder in encoders(model, self.sides):
            blocks = blocks_of(encoder.tower)
            for number, block in enumerate(blocks):
                blocks[number] = PromptedBlock(block, self.count, encoder.width)
