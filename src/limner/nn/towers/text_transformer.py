"""The text tower: token and position embeddings, a few transformer blocks, the mean over the real tokens."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from limner.nn.blocks.transformer import TransformerBlock, masked_mean

PADDING = 0


class TextTransformer(nn.Module):
    """Token ids (n, t), 0 is padding, t <= context -> (n, width)."""

    def __init__(self, vocabulary: int, context: int, width: int, depth: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=PADDING)
        self.positions = nn.Parameter(torch.zeros(context, width))
        nn.init.normal_(self.tokens.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.01)
        self.dropout = nn.Dropout(dropout)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, ids: Tensor) -> Tensor:
        mask = ids != PADDING
        x = self.dropout(self.tokens(ids) + self.positions[: ids.shape[1]])
        for block in self.blocks:
            x = block(x, mask)
        return masked_mean(self.norm(x), mask)
