"""FLOPS regulariser: few words of the vocabulary weigh anything, and no word weighs in everything.

    L = min(1, progress / ramp)^2 [ sum_v (mean_i w_iv)^2 of the pictures + the same of the texts ]

w are the weights before they are brought to length 1. The sum is what a search costs: the product of how often a word
occurs among the questions and among the pictures (Paria et al. 2020, arXiv 2004.05665; SPLADE; card 1, LexLIP, which
weighs it 0.002). At full weight from the first step it kills every word, so it grows with the square of the training.

    needs       features.image.lexicon and features.text.lexicon
    siblings    keeping the k heaviest words when exporting cuts what is left; this makes the cut cheap
    when        always beside `LexiconContrast`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.nn.blocks.word_weights import lexicon_of, word_weights


def flops(weights: Tensor) -> Tensor:
    """(n, V) weights -> the expected products of a dot product of two rows drawn from them."""
    return weights.mean(0).square().sum()


@dataclass(frozen=True, slots=True)
class LexiconSparsity:
    ramp: float = 0.5
    """Share of the training after which it weighs in full; 0: from the first step."""
    weight: float = 0.002
    name: str = "lexicon sparsity"

    def __post_init__(self) -> None:
        if not 0 <= self.ramp <= 1:
            raise InputError(f"lexicon sparsity: a ramp of {self.ramp} is no share of the training; choose 0 to 1")

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        grown = min(1.0, features.progress / self.ramp) ** 2 if self.ramp else 1.0
        sides = (features.image, features.text)
        return grown * sum(flops(word_weights(lexicon_of(side))) for side in sides)
