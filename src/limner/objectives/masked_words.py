"""Masked words: some words of a text are hidden, and the picture helps to guess them (Devlin et al. 2019, "BERT").

    L = mean over the hidden words of -log p(word | the other words, the picture)

Cards 34 (LightCLIP, arXiv 2312.00674), 49 (TCL), 43 (FIBER). The text tower is run once more; at a few of its
depths the states look at those of the picture through gated cross-attention. Hidden words are replaced by one
learned embedding, so the vocabulary stays what it is. The guess is made with the tower's own embeddings.

    needs       features.ids, features.image.states, features.model with a TextTransformer
    siblings    Matching reads the same two sides, but asks whether they belong together
    when        captions are few or the text tower is shallow: it makes every word of a caption teach
    search      nothing of it stays: fusion, embedding of what is hidden and guess belong to the head
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features
from limner.nn.blocks.cross_attention import GatedCrossAttention
from limner.nn.blocks.word_weights import FIRST_WORD


def hide_words(ids: Tensor, share: float, first_word: int = FIRST_WORD) -> Tensor:
    """(m, t) ids -> (m, t) bool: each word with the probability `share`."""
    return (ids >= first_word) & (torch.rand(ids.shape, device=ids.device) < share)


def guessing_cost(logits: Tensor, words: Tensor) -> Tensor:
    """(k, V) logits and (k,) ids of the hidden words -> their mean cross-entropy; 0 where none is hidden."""
    return F.cross_entropy(logits.float(), words, reduction="sum") / max(1, len(words))


def check_share(name: str, share: float) -> None:
    if not 0 < share < 1:
        raise InputError(f"{name}: a share of {share} cannot be hidden; choose one between 0 and 1")


class MaskedWordsHead(nn.Module):
    """`layers`: numbers of the blocks of the text tower behind which the picture is read."""

    def __init__(self, vocabulary: int, width: int, image_width: int, layers: list[int], heads: int) -> None:
        super().__init__()
        self.hidden_word = nn.Parameter(0.02 * torch.randn(width))
        self.fusion = nn.ModuleDict({str(layer): GatedCrossAttention(width, image_width, heads) for layer in layers})
        self.transform = nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))
        self.bias = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, tower: nn.Module, ids: Tensor, hidden: Tensor, image_states: Tensor) -> Tensor:
        """(m, t) ids, (m, t) bool which are hidden, (m, p, image width) -> (hidden words, vocabulary) logits."""
        between = {int(layer): partial(block, context=image_states) for layer, block in self.fusion.items()}
        words = torch.where(hidden[..., None], self.hidden_word, tower.tokens(ids))
        states, _ = tower(ids, between=between, words=words)
        return F.linear(self.transform(states[hidden]), tower.tokens.weight, self.bias)


@dataclass(frozen=True, slots=True)
class MaskedWords:
    share: float = 0.15
    """Of the words that are hidden, on average."""
    depths: tuple[float, ...] = (1 / 3, 2 / 3, 1.0)
    """Where the picture is read: shares of the text tower's depth, above 0 to 1. None: words alone, as in BERT."""
    heads: int = 4
    first_word: int = FIRST_WORD
    """Smaller ids are no words: padding, beginning and end."""
    role: str = ""
    """Only the texts of this role; empty: all."""
    weight: float = 1.0
    name: str = "masked words"

    def __post_init__(self) -> None:
        check_share("masked words", self.share)
        if not all(0 < depth <= 1 for depth in self.depths):
            raise InputError(f"masked words: depths {self.depths} are shares of the tower: above 0, at most 1")

    def head(self, model: Any) -> nn.Module:
        """Raises InputError where the text tower is not one of transformer blocks."""
        tower = model.text.tower
        if not getattr(tower, "blocks", None):
            raise InputError(f"masked words need a text tower of transformer blocks, not {type(tower).__name__}")
        layers = sorted({max(0, round(depth * len(tower.blocks)) - 1) for depth in self.depths})
        return MaskedWordsHead(tower.tokens.num_embeddings, model.text.width, model.image.width, layers, self.heads)

    def __call__(self, features: Features, head: Any) -> Tensor:
        texts = features.with_role(self.role) if self.role else features
        if texts.ids is None or texts.image.states is None or texts.model is None:
            raise InputError("masked words need the ids of the texts, the states of the pictures, and the model")
        hidden = hide_words(texts.ids, self.share, self.first_word)
        logits = head(texts.model.text.tower, texts.ids, hidden, texts.image.states[texts.owner])
        return guessing_cost(logits, texts.ids[hidden])
