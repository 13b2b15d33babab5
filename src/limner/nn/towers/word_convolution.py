"""The text tower of convolutions over the words: a sequence module of any length (card 113, arXiv 1601.03478).

The layers of the paper's own sequence module are not known to us; these follow Kim 2014 (convolutions over word
embeddings, the maximum over time).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.nn.towers.bag_of_words import WholeText
from limner.nn.towers.text_transformer import PADDING


class WordConvolution(nn.Module):
    """Token ids (n, t), 0 is padding -> states (n, t, width) and mask (n, t).

    `depth` residual convolutions over `window` words each; the maximum over the words then goes through an MLP.
    """

    def __init__(self, vocabulary: int, width: int, depth: int, window: int, dropout: float) -> None:
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=PADDING)
        self.dropout = nn.Dropout(dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.convolutions = nn.ModuleList(nn.Conv1d(width, width, window, padding=window // 2) for _ in range(depth))
        self.whole = WholeText(width, dropout)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        mask = ids != PADDING
        real = mask.unsqueeze(-1)
        states = self.dropout(self.tokens(ids))
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            # Padding is made zero before each convolution: it then is what stands beyond the end anyway.
            seen = convolution((norm(states) * real).transpose(1, 2)).transpose(1, 2)
            states = states + torch.relu(seen)
        least = torch.finfo(states.dtype).min
        most = states.masked_fill(~real, least).amax(1)
        return self.whole(states, most.where(mask.any(1, keepdim=True), 0)), mask


@dataclass(frozen=True, slots=True)
class ConvolutionTower:
    """Settings of a WordConvolution. `window`: an odd number of words."""

    width: int = 128
    depth: int = 2
    window: int = 3
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.window < 1 or self.window % 2 == 0:
            raise InputError(f"a convolution over {self.window} words has no middle; choose an odd number")

    def build(self, vocabulary: int, context: int) -> WordConvolution:
        """A text may be of any length: `context` plays no part."""
        return WordConvolution(vocabulary, self.width, self.depth, self.window, self.dropout)
