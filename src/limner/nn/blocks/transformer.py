"""The pre-norm transformer block (Vaswani et al. 2017; Xiong et al. 2020)."""

from __future__ import annotations

from torch import Tensor, nn


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.into = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """x (n, t, width); mask (n, t), True where a token is real."""
        n, t, width = x.shape
        q, k, v = self.into(x).view(n, t, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        # Written out: on a CPU, sequences of tens of tokens run several times faster so than through the fused kernel.
        scores = (q * (width // self.heads) ** -0.5) @ k.transpose(-2, -1)
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None, None, :], -1e4)
        attended = scores.softmax(-1).to(v.dtype) @ v
        return self.out(attended.transpose(1, 2).reshape(n, t, width))


class TransformerBlock(nn.Module):
    def __init__(self, width: int, heads: int, expansion: int = 4) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width))

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = x + self.attention(self.attention_norm(x), mask)
        return x + self.mlp(self.mlp_norm(x))


def rows_by_length(mask: Tensor, buckets: int) -> list[tuple[Tensor, int]]:
    """(n, t), True where a token is real, first in its row -> rows of like length and how long the longest of them
    is (1 at least): what is computed of these parts alone is computed of little padding."""
    lengths = mask.sum(1)
    return [(rows, max(1, int(lengths[rows].max()))) for rows in lengths.argsort(stable=True).chunk(buckets)]


def masked_mean(tokens: Tensor, mask: Tensor) -> Tensor:
    """(n, t, d), (n, t) -> (n, d): the mean over the real tokens."""
    weights = mask.unsqueeze(-1).to(tokens.dtype)
    return (tokens * weights).sum(1) / weights.sum(1).clamp(min=1)
