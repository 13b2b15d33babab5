"""Lexicon bottleneck: the words that a picture or a text is reduced to must be enough to fill its caption's gaps.

    p = softmax_v(max_p l[p, v]),   b = p E
    L = mean over the hidden words of -log p(word | b, the other words), through a weak decoder

Card 1, LexLIP (arXiv 2302.02908, eq. 1 to 6). E, the word embeddings, are without gradient here, so b is a bag of
words and nothing else can pass. The decoder, two blocks, reads b in place of the text's beginning; half of the words
are hidden, so that it must look at b. What the picture's bag lacks, the picture must learn to name: its words mean
what they say, and bare words find it. `LexiconWords` trains the text's head as what it is, a masked language model.

    needs       features.ids, the lexicons of both sides, features.model with a lexicon and a TextTransformer
    siblings    MaskedWords lets the decoder look at the picture itself, so it teaches states and no words
    when        before or beside `LexiconContrast`, which alone makes words that work but do not mean anything
    search      nothing of it stays: the decoder belongs to the head
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features
from limner.nn.blocks.transformer import TransformerBlock, rows_by_length
from limner.nn.blocks.word_weights import lexicon_of
from limner.objectives.intra_modal import Side
from limner.objectives.masked_words import check_share, guessing_cost, hide_words

BUCKETS = 6
"""Texts of like length are read together, without most of the padding."""


class HiddenWord(nn.Module):
    """What stands where a word is hidden."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.hidden_word = nn.Parameter(0.02 * torch.randn(width))

    def forward(self, tower: nn.Module, ids: Tensor, hidden: Tensor) -> Tensor:
        """(m, t) ids, (m, t) bool which are hidden -> embeddings (m, t, width)."""
        return torch.where(hidden[..., None], self.hidden_word, tower.tokens(ids))


class WeakDecoder(nn.Module):
    def __init__(self, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.words = HiddenWord(width)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width)

    def forward(self, tower: nn.Module, ids: Tensor, hidden: Tensor, bag: Tensor) -> Tensor:
        """(m, t) ids, (m, t) bool which are hidden, (m, width) bags of words -> states (hidden words, width)."""
        words = self.words(tower, ids, hidden)
        x = torch.cat([bag[:, None], words[:, 1:]], 1) + tower.positions[: ids.shape[1]]
        for block in self.blocks:
            x = block(x, ids != 0)
        return self.norm(x[hidden])


def bag_of_words(lexicon: Tensor, embeddings: Tensor) -> Tensor:
    """(n, V) greatest logits, (V, width) -> (n, width), with a gradient into the logits only."""
    return lexicon.softmax(-1) @ embeddings.detach()


@dataclass(frozen=True, slots=True)
class LexiconWords:
    """Words of the text alone are hidden and guessed by the text's lexicon head."""

    share: float = 0.3
    """Of the words that are hidden, on average."""
    texts: float = 1.0
    """Share of the texts that are asked: a part of a batch costs less and teaches in the long run the same."""
    weight: float = 1.0
    name: str = "lexicon words"

    def __post_init__(self) -> None:
        _check(self.name, self.share, self.texts)

    def head(self, model: Any) -> nn.Module:
        _check_model(model)
        return HiddenWord(model.text.width)

    def __call__(self, features: Features, head: Any) -> Tensor:
        ids, model, asked = _asked(features, self.texts)
        tower = model.text.tower

        def read(rows: Tensor, part: Tensor, gaps: Tensor) -> Tensor:
            return tower(part, words=head(tower, part, gaps))[0][gaps]

        return _filling_cost(model, ids[asked], self.share, read)


@dataclass(frozen=True, slots=True)
class LexiconBottleneck:
    """`sides`: whose bag of words the decoder reads; the caption is hidden anew for each. The costs are added up."""

    sides: tuple[Side, ...] = ("text", "image")
    share: float = 0.5
    """Of the words that are hidden, on average."""
    texts: float = 1.0
    """As of `LexiconWords`."""
    depth: int = 2
    """Blocks of the decoder."""
    heads: int = 4
    weight: float = 1.0
    name: str = "lexicon bottleneck"

    def __post_init__(self) -> None:
        _check(self.name, self.share, self.texts)
        if not self.sides or not set(self.sides) <= {"image", "text"}:
            raise InputError(f"{self.name}: sides are 'image' and 'text', not {self.sides!r}")

    def head(self, model: Any) -> nn.Module:
        _check_model(model)
        return WeakDecoder(model.text.width, self.heads, self.depth)

    def __call__(self, features: Features, head: Any) -> Tensor:
        ids, model, asked = _asked(features, self.texts)
        tower = model.text.tower
        costs = []
        for side in self.sides:
            lexicon = lexicon_of(getattr(features, side))
            bag = bag_of_words(lexicon[asked if side == "text" else features.owner[asked]], tower.tokens.weight)

            def read(rows: Tensor, part: Tensor, gaps: Tensor, bag: Tensor = bag) -> Tensor:
                return head(tower, part, gaps, bag[rows])

            costs.append(_filling_cost(model, ids[asked], self.share, read))
        return torch.stack(costs).sum()


def _filling_cost(model: Any, ids: Tensor, share: float, read: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    """`read(rows, their ids, their hidden words)` -> states (hidden words, width), guessed by the text's head."""
    hidden, states, words = hide_words(ids, share), [], []
    for rows, longest in rows_by_length(ids != 0, BUCKETS):
        part, gaps = ids[rows, :longest], hidden[rows, :longest]
        states.append(read(rows, part, gaps))
        words.append(part[gaps])
    return guessing_cost(model.lexicon.guesses(torch.cat(states)), torch.cat(words))


def _asked(features: Features, share: float) -> tuple[Tensor, Any, Tensor]:
    """The ids of all texts, the model, and the rows of those that are asked, 1 at least."""
    if features.ids is None or features.model is None:
        raise InputError("hidden words of a lexicon need the ids of the texts and the model")
    count = len(features.ids)
    rows = torch.randperm(count, device=features.ids.device)[: max(1, round(share * count))]
    return features.ids, features.model, rows


def _check(name: str, share: float, texts: float) -> None:
    check_share(name, share)
    if not 0 < texts <= 1:
        raise InputError(f"{name}: {texts} is no share of the texts; choose one above 0, at most 1")


def _check_model(model: Any) -> None:
    """Raises InputError where it has no lexicon or its text tower is not one of transformer blocks."""
    if getattr(model, "lexicon", None) is None:
        raise InputError("hidden words of a lexicon need a model that has one: set `lexicon` of its Towers")
    tower = model.text.tower
    if not getattr(tower, "blocks", None):
        raise InputError(
            f"hidden words of a lexicon need a text tower of transformer blocks, not {type(tower).__name__}"
        )
