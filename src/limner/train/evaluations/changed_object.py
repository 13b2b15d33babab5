"""Scenes that differ in one small object: whether texts and pictures choose their own of the two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.features import Encoded
from limner.train.evaluations.token_search import scores_by_tokens, with_tokens
from limner.train.evaluations.twins import chosen_right
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

TOGETHER = 32
"""Pictures that are compared at a time, an even number."""


@dataclass(frozen=True, slots=True)
class ChangedObject:
    """The share of the texts that score their own picture above its twin ("changed: text chooses"), and of the pictures
    that do so with texts; by the cosine of the vectors and by tokens. Pictures 2 i and 2 i + 1 are twins, with one text
    each. A tie counts one half."""

    split: str = "changed"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        images = with_tokens(trained, trained.encode_images(corpus))
        texts = with_tokens(trained, trained.encode_texts([some[0].text for some in corpus.texts]))
        parts = [_by(images.take(rows), texts.take(rows)) for rows in _pairs(len(corpus))]
        return {
            name: Measured.of(np.concatenate([part[name] for part in parts]), np.arange(len(corpus)) // 2)
            for name in parts[0]
        }


def _pairs(count: int) -> list[slice]:
    """Whole pairs, a few at a time: what is in different parts is never compared."""
    return [slice(start, start + TOGETHER) for start in range(0, count, TOGETHER)]


def _by(images: Encoded, texts: Encoded) -> dict[str, np.ndarray]:
    cosines = (images.vectors @ texts.vectors.T).cpu().numpy()
    pictures_ask, texts_ask = scores_by_tokens(images, texts)
    return {
        "changed: text chooses by vectors": chosen_right(cosines),
        "changed: picture chooses by vectors": chosen_right(cosines.T),
        "changed: text chooses by tokens": chosen_right(texts_ask.T),
        "changed: picture chooses by tokens": chosen_right(pictures_ask),
    }
