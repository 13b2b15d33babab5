"""Whether the heaviest words of a picture are words that people say of it: weights that can be read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.nn.blocks.word_weights import lexicon_of, word_weights
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class SaidWords:
    """The share of a picture's `k` heaviest words that stand in one of its own captions, which it was not shown.

    "By chance": the same of the words of another picture, so that "a" and "the" are no merit.
    """

    split: str = "test"
    k: int = 10

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        heaviest = word_weights(lexicon_of(trained.encode_images(corpus))).topk(self.k).indices.cpu().numpy()
        said = [{word for text in some for word in trained.tokenizer.words(text.text)} for some in corpus.texts]
        asked = [row for row, words in enumerate(said) if words]
        other = np.roll(asked, 1)
        return {
            f"top {self.k} words said": Measured.of([_share(heaviest[row], said[row]) for row in asked]),
            f"top {self.k} words said by chance": Measured.of(
                [_share(heaviest[one], said[row]) for row, one in zip(asked, other, strict=True)]
            ),
        }


def _share(words: np.ndarray, said: set[int]) -> float:
    return float(np.mean([word in said for word in words.tolist()]))
