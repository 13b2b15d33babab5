"""Texts that search their translations, though no parallel text was in the training."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.eval.metrics import Success
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class Translations:
    """The text of each picture in one language searches those of all pictures in the other, both ways, by cosine.

    Needs one text a picture and language, the second a translation of the first. A text that stands with several
    pictures is right with any of them.
    """

    languages: tuple[str, str] = ("en", "zh")
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        texts = [
            [text.text for some in corpus.texts for text in some if text.language == language]
            for language in self.languages
        ]
        if not all(len(some) == len(corpus) for some in texts):
            raise InputError(f"{corpus.name}: needs one text a picture in each of {', '.join(self.languages)}")
        first, second = (trained.encode_texts(some).vectors.cpu().numpy() for some in texts)
        numbers = [np.unique(some, return_inverse=True)[1] for some in texts]
        one, other = self.languages
        return {
            f"{one} to {other} success@1": self._found(first, second, numbers[1]),
            f"{other} to {one} success@1": self._found(second, first, numbers[0]),
            "translation success@1 by chance": Measured.of(1 / len(corpus)),
        }

    def _found(self, asking: np.ndarray, answering: np.ndarray, numbers: np.ndarray) -> Measured:
        """`numbers` (n,): equal for equal texts among those that answer."""
        right = numbers[:, None] == numbers[None, :]
        return Measured.of(ranked(asking @ answering.T, right, (Success(1),))["success@1"])
