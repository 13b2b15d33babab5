"""Whether long questions order the pictures as short ones do (card 120)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.eval.cka import rank_correlation
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class LongQuestions:
    """Spearman's rank correlation of the scores of all pictures by each picture's first text of the role `short` and
    by its text of the role `long`. No text is ever cut: the tokenizer refuses one that is longer than the model reads.
    """

    split: str = "test"
    short: str = "caption"
    long: str = "long"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        by_role = [{text.role: text.text for text in reversed(texts)} for texts in corpus.texts]
        rows = [row for row, texts in enumerate(by_role) if self.short in texts and self.long in texts]
        if not rows:
            raise InputError(f"{corpus.name}: no picture has a text of role {self.short!r} and one of {self.long!r}")
        pictures = trained.encode_images(corpus)
        scores = [
            trained.scores(pictures, trained.encode_texts([by_role[row][role] for row in rows])).T
            for role in (self.short, self.long)
        ]
        values = [rank_correlation(*pair) for pair in zip(*scores, strict=True)]
        return {"long and short: rank correlation": Measured.of(np.array(values))}
