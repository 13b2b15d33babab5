"""Contrast on weighted words: a picture's words must find its text's, and the reverse (card 1, LexLIP, eq. 8 and 11).

w_v = log(1 + max_p relu(l[p, v])),   L = contrast( <w / |w|, w' / |w'|> / T )

needs       features.image.lexicon and features.text.lexicon: `lexicon` of the model's Towers; keys "teacher" need
            EmaTeacher, and a FeatureQueue brings more negatives (momentum lexicon contrast)
siblings    Contrast does the same on vectors, with a temperature that is learned
when        pictures are to be searched with an inverted index; stand `LexiconSparsity` beside it, without which
            all words weigh something, and `LexiconBottleneck`, without which they need not mean what they say
search      space "lexical" of a bundle: the heaviest words of each picture
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.word_weights import lexical_vectors, lexicon_of
from limner.objectives.contrast import Contrast


def lexical_similarity(image: Encoded, text: Encoded) -> Tensor:
    """(n, m): cosine of the weights of words. Raises InputError where the model gives none."""
    return lexical_vectors(lexicon_of(image)) @ lexical_vectors(lexicon_of(text)).T


@dataclass(frozen=True, slots=True)
class LexiconContrast:
    temperature: float = 0.05
    keys: Literal["batch", "teacher"] = "batch"
    """As of `Contrast`."""
    weight: float = 1.0
    name: str = "lexicon contrast"

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise InputError(f"lexicon contrast: a temperature of {self.temperature} is none; choose one above 0")

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        scale = features.scale.new_tensor(1 / self.temperature)
        return Contrast(keys=self.keys)(features.replace(similarity=lexical_similarity, scale=scale))
