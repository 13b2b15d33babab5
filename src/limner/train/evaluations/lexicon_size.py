"""How many words weigh anything, in pictures and in texts, before any are cut."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.nn.blocks.word_weights import lexicon_of
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class LexiconSize:
    """`share` of the vocabulary and `times` as many words a picture are what claims compare with."""

    split: str = "test"
    share: float = 0.05
    times: int = 3

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        owner = np.array([row for row, some in enumerate(corpus.texts) for _ in some])
        pictures = _counted(lexicon_of(trained.encode_images(corpus)))
        texts = _counted(lexicon_of(trained.encode_texts([text.text for some in corpus.texts for text in some])))
        vocabulary = trained.tokenizer.vocabulary_size
        return {
            "words a picture": Measured.of(pictures),
            f"words a picture, times {self.times}": Measured.of(self.times * pictures),
            f"{self.share:.0%} of the vocabulary": Measured.of(np.full(len(pictures), self.share * vocabulary)),
            "words a text": Measured.of(texts, owner),
        }


def _counted(lexicon: object) -> np.ndarray:
    return (lexicon > 0).sum(1).cpu().numpy()
