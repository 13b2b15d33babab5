"""Logits of words as weights, for search with an inverted index (SPLADE, arXiv 2107.05720; LexLIP, card 1)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded

FIRST_WORD = 3
"""Smaller ids are no words: padding, beginning and end."""
IMPOSSIBLE = -1e6
"""The logit of what must not weigh anything: no word, or no position."""


def word_weights(lexicon: Tensor) -> Tensor:
    """(n, V) greatest logits over all positions -> (n, V) weights log(1 + relu(l)), none negative, most zero."""
    return (1 + lexicon.relu()).log()  # log1p has no ONNX operator


def lexical_vectors(lexicon: Tensor) -> Tensor:
    """(n, V) greatest logits -> their weights as vectors of length 1 (0 where no word weighs anything)."""
    return F.normalize(word_weights(lexicon), dim=-1)


def heaviest(weights: Tensor, keep: int) -> Tensor:
    """(n, V) with all but the `keep` greatest of each row set to zero."""
    values, words = weights.topk(min(keep, weights.shape[-1]), dim=-1)
    return torch.zeros_like(weights).scatter(-1, words, values)


def heaviest_vectors(lexicon: Tensor, keep: int) -> Tensor:
    """(n, V) greatest logits -> the weights of the `keep` heaviest words of each row, as vectors of length 1."""
    return F.normalize(heaviest(word_weights(lexicon), keep), dim=-1)


def lexicon_of(encoded: Encoded) -> Tensor:
    """(n, V). Raises InputError where the model gives none."""
    if encoded.lexicon is None:
        raise InputError("what compares weighted words needs lexicons: set `lexicon` of the model's Towers")
    return encoded.lexicon
