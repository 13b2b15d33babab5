"""Texts that search pictures by weighted words: whole lexicons, few words a picture, 8 bits a weight, bare words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from limner.core.types import Floats
from limner.eval.metrics import Recall
from limner.nn.blocks.word_weights import heaviest_vectors, lexical_vectors, lexicon_of
from limner.nn.heads.lexicon import LENGTH
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

CUTS = tuple(Recall(k) for k in (1, 5, 10))
LEVELS = 255
"""Of a weight of 8 bits; zero is none."""


@dataclass(frozen=True, slots=True)
class LexicalRetrieval:
    """All texts of a split search its pictures; metrics end in "text-to-image recall@k":

    lexical      encoded texts, all words of a picture and of a text
    indexed      encoded texts; each picture and text as it is exported, each weight of a picture in 8 bits, as an
                 index keeps it
    bare words   the words of the text, weight 1 each, no model; pictures as indexed
    N words      encoded texts, pictures of their N heaviest words, for each N of `words`
    """

    split: str = "test"
    words: tuple[int, ...] = (8, 12, 16, 20, 24, 32, 64)

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        texts = [text.text for some in corpus.texts for text in some]
        owner = np.array([row for row, some in enumerate(corpus.texts) for _ in some])
        pictures = lexicon_of(trained.encode_images(corpus))
        asked = lexicon_of(trained.encode_texts(texts))
        heads = trained.model.lexicon
        stored = in_eight_bits(heads.exported_pictures(pictures))
        encoded = lexical_vectors(asked)
        scores = {
            "lexical ": encoded @ lexical_vectors(pictures).T,
            "indexed ": heads.exported_texts(asked) @ stored.T,
            "bare words ": bare_weights(trained, texts, heads.vocabulary).to(stored) @ stored.T,
        }
        for count in self.words:
            scores[f"{count} words "] = encoded @ heaviest_vectors(pictures, count).T
        return {
            f"{name}{metric}": one
            for name, block in scores.items()
            for metric, one in found(block.cpu().numpy(), owner).items()
        }


def in_eight_bits(weights: Tensor) -> Tensor:
    """(n, V) exported rows -> the impacts that an index keeps of them, whole numbers from 0 to LEVELS."""
    return (weights * (LEVELS / LENGTH)).round()


def bare_weights(trained: Trained, texts: Sequence[str], vocabulary: int) -> Tensor:
    """(m, V): 1 for each token of the text."""
    weights = np.zeros((len(texts), vocabulary), np.float32)
    for row, text in enumerate(texts):
        weights[row, trained.tokenizer.words(text)] = 1
    return torch.from_numpy(weights)


def found(scores: Floats, owner: np.ndarray) -> dict[str, Measured]:
    """Of (m texts, n pictures), `owner` (m,) the picture of each text."""
    right = np.zeros(scores.shape, bool)
    right[np.arange(len(owner)), owner] = True
    return {f"text-to-image {name}": Measured.of(one, owner) for name, one in ranked(scores, right, CUTS).items()}
