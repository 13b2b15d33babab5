"""Photographs described by the words that a simple predictor expects of their captions (card 120)."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.core.types import Floats
from limner.data.corpus import Corpora, Corpus, Text
from limner.train.corpora.derived import Derived
from limner.train.runs import Place

FOLDS = 5
_SAY_NOTHING = frozenset(
    ("a", "an", "the", "is", "are", "in", "on", "of", "with", "and", "at", "to", "by", "his", "her", "their", "its",
     "it", "that", "as", "from", "for")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PredictedWords(Derived):
    """The data's photographs with one more text: its `told` likeliest words, the likeliest first.

    Of the `words` most frequent caption words of the training pictures, a ridge regression from the mean and the
    maximum of a photograph's maps says how likely each is there, less how frequent it is. In training, pictures get
    the role "document" and are described by a predictor that has not seen them (one of five folds), so that they are
    described as well as others; there the texts of the role "both" come from the captions of training pictures only.
    """

    words: int = 1000
    told: int = 20
    ridge: float = 0.1
    """Added to the variances, as a share of their mean."""

    def load(self, place: Place) -> Corpora:
        corpora = self.data.load(place)
        words = frequent_words(corpora.train, self.words)
        present = presence(corpora.train, words)
        seen = pooled(corpora.train)
        mean, spread = seen.mean(0), seen.std(0) + 1e-6
        seen = (seen - mean) / spread
        fold = np.arange(len(seen)) % FOLDS
        own = np.empty_like(present)
        for number in range(FOLDS):
            own[fold == number] = self._predicted(seen[fold != number], present[fold != number], seen[fold == number])
        described = {"train": self._with_words(corpora.train, own, words, "document")}
        for name in ("validation", "test"):
            corpus = corpora.split(name)
            expected = self._predicted(seen, present, (pooled(corpus) - mean) / spread)
            described[name] = self._with_words(corpus, expected, words, "both")
        return dataclasses.replace(corpora, **described)

    def _predicted(self, seen: Floats, present: Floats, others: Floats) -> Floats:
        """How much more likely each word is of `others` than of any picture, in units of its spread."""
        mean, rate = seen.mean(0), present.mean(0)
        seen = seen - mean
        variance = seen.T @ seen / len(seen)
        variance[np.diag_indices(len(variance))] += self.ridge * np.trace(variance) / len(variance)
        weights = np.linalg.solve(variance, seen.T @ (present - rate) / len(seen))
        expected: Floats = (others - mean) @ weights / np.sqrt(rate * (1 - rate) + 1e-6)
        return expected

    def _with_words(self, corpus: Corpus, expected: Floats, words: Sequence[str], role: str) -> Corpus:
        best = np.argsort(-expected, axis=1, kind="stable")[:, : self.told]
        texts = [
            [*some, Text(" ".join(words[word] for word in chosen), role)]
            for some, chosen in zip(corpus.texts, best, strict=True)
        ]
        return corpus.replace(texts=texts)


def pooled(corpus: Corpus) -> Floats:
    """(n, 2 * channels): mean and maximum over the places of each map."""
    maps = np.asarray(corpus.images, np.float32)
    return np.concatenate([maps.mean(1), maps.max(1)], axis=1)


def frequent_words(corpus: Corpus, count: int) -> list[str]:
    """Those in the captions of the most pictures, without the ones that say nothing of a picture."""
    pictures = Counter(word for texts in corpus.texts for word in _words(texts))
    return [word for word, _ in sorted(pictures.items(), key=lambda entry: (-entry[1], entry[0]))[:count]]


def presence(corpus: Corpus, words: Sequence[str]) -> Floats:
    """(n, words): the share of a picture's captions that have the word."""
    column = {word: number for number, word in enumerate(words)}
    present = np.zeros((len(corpus), len(words)), np.float32)
    for row, texts in enumerate(corpus.texts):
        for text in texts:
            known = [column[word] for word in _words([text]) if word in column]
            present[row, known] += 1 / len(texts)
    return present


def _words(texts: Sequence[Text]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[a-z]+", text.text.lower())} - _SAY_NOTHING
