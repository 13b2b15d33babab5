"""Places of pictures and words of texts as vectors of one space: which of them count, and how well two sets agree."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded

_AT_ONCE = 1 << 22
"""So many products of a place and a word are held at a time (16 MB); larger parts leave the processor's cache."""
_NEVER = -1e4


def token_vectors(encoded: Encoded) -> Tensor:
    """(n, t, d). Raises InputError where the model gives none."""
    if encoded.tokens is None:
        raise InputError("what compares places and words needs token vectors: set `tokens` of the model's Towers")
    return encoded.tokens


def word_mask(text: Encoded) -> Tensor:
    """(m, t) bool, True for words: neither padding nor the begin and end between which every text is encoded."""
    real = text.mask
    if real is None:
        real = torch.ones(token_vectors(text).shape[:2], dtype=torch.bool, device=text.vectors.device)
    return inner(real)


def inner(real: Tensor) -> Tensor:
    """(m, t) bool, True for the first so many of each row -> True for those but the first and the last."""
    return torch.cat([torch.zeros_like(real[:, :1]), real[:, 2:], torch.zeros_like(real[:, :1])], 1)[:, : real.shape[1]]


def token_scores(image: Encoded, text: Encoded) -> tuple[Tensor, Tensor]:
    """The token-wise maximum similarity of FILIP (card 19, arXiv 2111.07783, eq. 3 to 5), (n, m) in each direction:

        pictures ask    s_I = mean over places of the best word
        texts ask       s_T = mean over words of the best place

    The two differ. Padding, begin and end of a text are no words; a text without words scores 0.
    """
    places, words, real = token_vectors(image), token_vectors(text), word_mask(text)
    end = 1 + int(real.sum(1).max()) if len(real) else 1
    words, real = words[:, 1:end], real[:, 1:end]
    pictures_ask, texts_ask = zip(*(_part(some, words, real) for some in _parts(places, words)), strict=True)
    return torch.cat(pictures_ask), torch.cat(texts_ask)


def _part(places: Tensor, words: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """(n, p, d), (m, t, d), (m, t) -> (n, m) twice. For the gradient only which products are best is kept."""
    count = real.sum(1)
    if not words.shape[1]:
        return (nothing := places.new_zeros(len(places), len(words))), nothing
    products = (places.flatten(0, 1) @ words.flatten(0, 1).T).view(*places.shape[:2], *words.shape[:2])
    best_place = products.max(1).values
    texts_ask = (best_place * (real / count.clamp(min=1)[:, None])).sum(-1)
    best_word = (products + _NEVER * ~real).max(-1).values
    return best_word.mean(1).where(count > 0, 0), texts_ask


def _parts(places: Tensor, words: Tensor) -> Iterator[Tensor]:
    """The pictures in parts whose products with all words fit."""
    a_picture = places.shape[1] * words.shape[0] * words.shape[1]
    return iter(places.split(max(1, _AT_ONCE // max(1, a_picture))))
