"""The choice between a right text and a wrong one of the same picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

TIE = 1e-6
"""Scores so near to one another are equal: the same words in another order are summed with other errors."""


@dataclass(frozen=True, slots=True)
class TwoWay:
    """Whether a picture's text of role `right` scores higher than its text of role `wrong`; a tie counts half.

    So a model to which both are the same is right half of the time, and not always or never. Pictures that lack
    one of the two are left out.
    """

    right: str = "caption"
    wrong: str = "swapped"
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        by_role = [{text.role: text.text for text in texts} for texts in corpus.texts]
        rows = [row for row, texts in enumerate(by_role) if self.right in texts and self.wrong in texts]
        if not rows:
            raise InputError(f"{corpus.name}: no picture has a text of role {self.right!r} and one of {self.wrong!r}")
        images = trained.encode_images(corpus.take(rows))
        own = np.arange(len(rows))
        right, wrong = (
            trained.scores(images, trained.encode_texts([by_role[row][role] for row in rows]))[own, own]
            for role in (self.right, self.wrong)
        )
        tie = np.abs(right - wrong) <= TIE
        values = np.where(tie, 0.5, right > wrong)
        metric = f"{self.right} over {self.wrong}"
        return {f"{metric} accuracy": Measured.of(values), f"{metric} by chance": Measured.of(0.5)}
