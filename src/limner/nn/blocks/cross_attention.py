"""Cross-attention behind a gate that is closed at first: the block by which one modality reads another.

Card 43 (FIBER, arXiv 2206.07643), card 34 (LightCLIP); the tanh is Flamingo's (Alayrac et al. 2022).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GatedCrossAttention(nn.Module):
    """x + tanh(gate) * attention(LN(x), LN(context)): states (n, t, width) look at states (n, u, context width).

    The gate is one number and starts at 0, where the block changes nothing.
    """

    def __init__(self, width: int, context_width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.context_norm = nn.LayerNorm(context_width)
        self.query = nn.Linear(width, width)
        self.key_and_value = nn.Linear(context_width, 2 * width)
        self.out = nn.Linear(width, width)
        self.gate = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor, context: Tensor, mask: Tensor | None = None) -> Tensor:
        """`mask` (n, u), True where a state of the context is real; None: all are."""
        n, t, width = x.shape
        q = self.query(self.norm(x)).view(n, t, self.heads, -1).transpose(1, 2)
        k, v = self.key_and_value(self.context_norm(context)).view(n, -1, 2, self.heads, width // self.heads).unbind(2)
        scores = (q * (width // self.heads) ** -0.5) @ k.permute(0, 2, 3, 1)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], -1e4)
        attended = scores.softmax(-1).to(v.dtype) @ v.transpose(1, 2)
        return x + self.gate.tanh() * self.out(attended.transpose(1, 2).reshape(n, t, width))
