"""The text tower that knows no order: a bag of words (card 113, arXiv 1601.03478, its first text module)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from limner.nn.blocks.transformer import masked_mean
from limner.nn.towers.text_transformer import PADDING


class WholeText(nn.Module):
    """Something pooled of a text (n, width) through an MLP, added to each of its states (n, t, width).

    The mean over the states is then mean + MLP(pooled): the MLP on the pooled text that a bag needs, while each
    word keeps a state of its own.
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.LayerNorm(width),
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(2 * width, width),
        )

    def forward(self, states: Tensor, pooled: Tensor) -> Tensor:
        return states + self.mlp(pooled)[:, None]


class BagOfWords(nn.Module):
    """Token ids (n, t), 0 is padding -> states (n, t, width) and mask (n, t)."""

    def __init__(self, vocabulary: int, width: int, dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=PADDING)
        self.dropout = nn.Dropout(dropout)
        self.whole = WholeText(width, dropout)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        mask = ids != PADDING
        states = self.dropout(self.tokens(ids))
        return self.whole(states, masked_mean(states, mask)), mask


@dataclass(frozen=True, slots=True)
class BagTower:
    """Settings of a BagOfWords."""

    width: int = 128
    dropout: float = 0.2

    def build(self, vocabulary: int, context: int) -> BagOfWords:
        """A text may be of any length: `context` plays no part."""
        return BagOfWords(vocabulary, self.width, self.dropout)
