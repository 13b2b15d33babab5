"""Words matched with places of a picture, one to one or nearly so (card 34, LightCLIP, arXiv 2312.00674)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.tokens import token_vectors, word_mask
from limner.objectives.contrast import contrast
from limner.objectives.targets import share

STRICT = 4.0
"""A price that no cosine outbids: two words share a place only where there are more words than places."""


@torch.no_grad()
def assign(scores: Tensor, words: Tensor, price: float) -> Tensor:
    """The place of each word, greedily and in one pass: the word with the best place of all chooses first.

    Each choice makes its place dearer by `price` for the words that follow: STRICT matches one to one, 0 is MaxSim.

    scores (b, t, p): word by place for b pairs of text and picture; words (b, t) bool, the others choose last ->
    (b, t) int64.
    """
    pairs, turns, places = scores.shape
    order = scores.amax(-1).masked_fill(~words, -torch.inf).argsort(1, descending=True)
    chosen = torch.empty_like(order)
    charged = scores.new_zeros(pairs, places)
    flat, start = scores.flatten(0, 1), turns * torch.arange(pairs, device=scores.device)
    for word in order.unbind(1):
        offers = flat.index_select(0, start + word).sub_(charged)
        place = offers.max(1, keepdim=True).indices
        charged.scatter_add_(1, place, charged.new_full((), price).expand(place.shape))
        chosen.scatter_(1, word[:, None], place)
    return chosen


def matched_scores(image: Encoded, text: Encoded, price: float) -> Tensor:
    """(n, m): the mean, over the words of a text, of the cosine of each with its place in the picture.

    The assignment is without gradient, its scores have one. A text without words scores 0.
    """
    places, tokens, words = token_vectors(image), token_vectors(text), word_mask(text)
    end = 1 + int(words.any(0).sum())  # words begin at 1, behind the begin of the text
    tokens, words = tokens[:, 1:end], words[:, 1:end]
    (n, p), (m, t) = places.shape[:2], tokens.shape[:2]
    scores = (tokens.flatten(0, 1) @ places.flatten(0, 1).T).view(m, t, n, p).transpose(1, 2).reshape(m * n, t, p)
    chosen = assign(scores.detach(), words.repeat_interleave(n, 0), price)
    matched = scores.gather(2, chosen[:, :, None]).view(m, n, t)
    return (matched * share(words)[:, None, :]).sum(2).T


@dataclass(frozen=True, slots=True)
class TokenMatching:
    """InfoNCE in both directions over the scores of all pictures with all texts of the batch, where a score is the
    mean cosine of the words with the places assigned to them (card 34, LightCLIP; the procedure is our
    reconstruction of its relaxed bipartite matching). Padding, begin and end of a text are no words.

    `price`: STRICT for one place a word; smaller lets words share a place that is better by more than this.

    Needs groups, owners and tokens of both sides. Against MaxSim (FILIP), where all words may crowd onto one place,
    each word must find its own. Stands beside a `Contrast`, in training only. The batch is cut into blocks, each
    contrasted in itself: the time grows with pictures x block x words x places.
    """

    price: float = 0.2
    block: int = 64
    """Pictures that are compared, with their texts, at a time."""
    role: str = ""
    """Only the texts of this role; empty: all."""
    weight: float = 1.0
    name: str = "token_matching"

    def __post_init__(self) -> None:
        if self.price < 0:
            raise InputError(f"the price of a place is not negative; it is {self.price}")
        if self.block < 2:
            raise InputError(f"a block of token matching has 2 pictures at least; it has {self.block}")

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        if self.role:
            features = features.with_role(self.role)
        pictures = len(features.image.group)
        parts = -(-pictures // self.block)
        bounds = [pictures * part // parts for part in range(parts + 1)]
        return torch.stack([self._of(features, *bound) for bound in pairwise(bounds)]).sum() / pictures

    def _of(self, features: Features, start: int, stop: int) -> Tensor:
        """The loss among pictures `start` to `stop` and the texts that were written for them, times the pictures."""
        image = features.image.take(slice(start, stop))
        text = features.text.take((features.owner >= start) & (features.owner < stop))
        logits = features.scale * matched_scores(image, text, self.price)
        right = image.group[:, None] == text.group[None, :]
        return (stop - start) * (contrast(logits, share(right)) + contrast(logits.T, share(right.T))) / 2
