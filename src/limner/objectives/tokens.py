"""What the objectives on places and words share: token vectors that must be there, and which words are words."""

from __future__ import annotations

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded


def token_vectors(encoded: Encoded) -> Tensor:
    """(n, t, d). Raises InputError where the model gives none."""
    if encoded.tokens is None:
        raise InputError("an objective on places and words needs token vectors: set `tokens` of the model's Towers")
    return encoded.tokens


def word_mask(text: Encoded) -> Tensor:
    """(m, t) bool, True for words: neither padding nor the begin and end between which every text is encoded."""
    real = text.mask
    if real is None:
        real = torch.ones(token_vectors(text).shape[:2], dtype=torch.bool, device=text.vectors.device)
    words = torch.zeros_like(real)
    words[:, 1:-1] = real[:, 2:]
    return words
