"""The text tower: token and position embeddings, then a few transformer blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.nn.blocks.transformer import TransformerBlock

PADDING = 0


class TextTransformer(nn.Module):
    """Token ids (n, t), 0 is padding, t <= context -> states (n, t, width) and mask (n, t)."""

    def __init__(self, vocabulary: int, context: int, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=PADDING)
        self.positions = nn.Parameter(torch.zeros(context, width))
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.01)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        ids: Tensor,
        between: Mapping[int, Callable[[Tensor], Tensor]] | None = None,
        words: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """`between`: what else is applied to the states (n, t, width) after the block of that number.

        `words` (n, t, width) takes the place of the embeddings of `ids`, which then only say what is padding.
        """
        mask = ids != PADDING
        words = self.tokens(ids) if words is None else words
        x = self.dropout(words + self.positions[: ids.shape[1]])
        for number, block in enumerate(self.blocks):
            x = block(x, mask)
            if between and number in between:
                x = between[number](x)
        return self.norm(x), mask


@dataclass(frozen=True, slots=True)
class TextTower:
    """Settings of a TextTransformer."""

    width: int = 128
    depth: int = 2
    heads: int = 4
    dropout: float = 0.1

    def build(self, vocabulary: int, context: int) -> TextTransformer:
        return TextTransformer(vocabulary, context, self.width, self.depth, self.heads, self.dropout)
