"""The text tower of n-grams and skip-grams (card 113, arXiv 1601.03478, its second text module).

What stands near one another gets an embedding of its own, looked up by a hash (Weinberger et al. 2009): no list
of all pairs is kept, and two that fall into one row of the table share it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.nn.blocks.transformer import masked_mean
from limner.nn.towers.bag_of_words import WholeText
from limner.nn.towers.text_transformer import PADDING

_FACTORS = (998_244_353, 1_000_000_007, 754_974_721)
"""Primes, one for each place in an n-gram: their products with ids stay far inside 64 bits."""


class Ngrams(nn.Module):
    """Token ids (n, t), 0 is padding -> states (n, t, width) and mask (n, t).

    The state of a word is its embedding and the sum of those of the n-grams that end with it: pairs with up to
    `skip` words between, and, for a `length` of 3, three words in a row. A pair is the same whatever is between.
    """

    def __init__(self, vocabulary: int, width: int, length: int, skip: int, buckets: int, dropout: float) -> None:
        super().__init__()
        self.length, self.skip, self.buckets = length, skip, buckets
        self.tokens = nn.Embedding(vocabulary, width, padding_idx=PADDING)
        self.ngrams = nn.Embedding(1 + buckets, width, padding_idx=PADDING)
        self.dropout = nn.Dropout(dropout)
        self.whole = WholeText(width, dropout)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        mask = ids != PADDING
        states = self.tokens(ids) + sum(self.ngrams(keys) for keys in self.keys(ids))
        states = self.dropout(states)
        return self.whole(states, masked_mean(states, mask)), mask

    def keys(self, ids: Tensor) -> Iterator[Tensor]:
        """(n, t) rows of the table, one tensor for each kind of n-gram; 0 where there is none."""
        reach = max(self.skip + 1, self.length - 1)
        padded = torch.cat([ids.new_full((ids.shape[0], reach), PADDING), ids], 1)

        def before(places: int) -> Tensor:
            return padded[:, reach - places : -places]

        for gap in range(self.skip + 1):
            yield self._hash(before(gap + 1), ids)
        if self.length == 3:
            yield self._hash(before(2), before(1), ids)

    def _hash(self, *words: Tensor) -> Tensor:
        mixed = sum(word * factor for word, factor in zip(words, _FACTORS, strict=False))
        real = (words[0] != PADDING) & (words[-1] != PADDING)
        return (1 + mixed % self.buckets) * real


@dataclass(frozen=True, slots=True)
class NgramTower:
    """Settings of Ngrams. `length` 2: pairs, 3: triples, too; `skip`: words that may stand between a pair."""

    width: int = 128
    length: int = 2
    skip: int = 0
    buckets: int = 1 << 14
    dropout: float = 0.2

    def __post_init__(self) -> None:
        if self.length not in (2, 3) or self.skip < 0 or self.buckets < 1:
            raise InputError(f"{self}: length is 2 or 3, skip at least 0, buckets at least 1")

    def build(self, vocabulary: int, context: int) -> Ngrams:
        """A text may be of any length: `context` plays no part."""
        return Ngrams(vocabulary, self.width, self.length, self.skip, self.buckets, self.dropout)
