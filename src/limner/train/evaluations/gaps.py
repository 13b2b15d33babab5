"""By how much what is right stands above the best of what is wrong: the margin that ranking losses work on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class Gaps:
    """Scores of a text with its own picture less the highest with another one, and the reverse (S_ii - max S_ij).

    Pictures count each of their texts; negative where something wrong stands first.
    """

    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        owner = np.repeat(np.arange(len(corpus)), [len(texts) for texts in corpus.texts])
        texts = trained.encode_texts([text.text for some in corpus.texts for text in some])
        scores = trained.scores(trained.encode_images(corpus), texts)
        own = scores[owner, np.arange(len(owner))]
        wrong = np.where(owner[None, :] == np.arange(len(corpus))[:, None], -np.inf, scores)
        return {
            "text-to-image gap": Measured.of(own - wrong.max(0), owner),
            "image-to-text gap": Measured.of(own - wrong.max(1)[owner], owner),
        }
