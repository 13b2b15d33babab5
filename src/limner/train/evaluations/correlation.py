"""The closed-form rival of every two-tower model: canonical correlation of picture features and word counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.types import Floats, Integers
from limner.data.corpus import Corpus
from limner.encode.tokenizer import Tokenizer
from limner.eval.metrics import Recall, Success
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

RIDGES = (0.01, 0.1, 1.0)
"""What is added to the variances, as shares of their mean; the best on the validation split is taken."""
POWER = 4
"""Directions count with this power of their correlation (Gong et al. 2014, section 4.2)."""


@dataclass(frozen=True, slots=True)
class CanonicalCorrelation:
    """Retrieval by regularised canonical correlation analysis (Hotelling 1936) on what the model was trained on.

    Pictures are the means of their maps, texts the presence of each of the `words` most frequent tokens. The model
    itself plays no part, so its results are those of the data alone.
    """

    words: int = 1000
    dimension: int = 128
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        train, validation = trained.corpora.train, trained.corpora.validation
        frequent = _frequent(train, trained.tokenizer, self.words)
        rows, pictures, texts = _pairs(train, trained.tokenizer, frequent)
        moments = _Moments(pictures[rows], texts)
        best, chosen = -1.0, {}
        for ridge in RIDGES:
            of_pictures, of_texts = moments.directions(ridge, self.dimension)
            found = {
                split: self._found(corpus, trained.tokenizer, frequent, moments, of_pictures, of_texts)
                for split, corpus in (("validation", validation), ("told", trained.corpora.split(self.split)))
            }
            if (recall := found["validation"]["CCA text-to-image recall@10"].mean) > best:
                best, chosen = recall, found["told"]
        return chosen

    def _found(
        self, corpus: Corpus, tokenizer: Tokenizer, frequent: Integers, moments: _Moments, left: Floats, right: Floats
    ) -> Outcome:
        owner, pictures, texts = _pairs(corpus, tokenizer, frequent)
        scores = _unit((pictures - moments.mean_picture) @ left) @ _unit((texts - moments.mean_text) @ right).T
        relevant = owner[:, None] == np.arange(len(corpus))[None, :]
        of_texts = ranked(scores.T, relevant, [Recall(k) for k in (1, 5, 10)])
        of_pictures = ranked(scores, relevant.T, [Success(k) for k in (1, 5, 10)])
        return {
            **{f"CCA text-to-image {name}": Measured.of(values, owner) for name, values in of_texts.items()},
            **{f"CCA image-to-text {name}": Measured.of(values) for name, values in of_pictures.items()},
        }


class _Moments:
    """Means and covariances of p pairs: pictures (p, c), texts (p, w)."""

    def __init__(self, pictures: Floats, texts: Floats) -> None:
        self.mean_picture, self.mean_text = pictures.mean(0), texts.mean(0)
        left, right = pictures - self.mean_picture, texts - self.mean_text
        self.pictures, self.texts, self.both = (
            one.T @ other / len(left) for one, other in ((left, left), (right, right), (left, right))
        )

    def directions(self, ridge: float, dimension: int) -> tuple[Floats, Floats]:
        """(c, d) and (w, d): onto the directions that correlate most, weighted by how much."""
        left, right = (_unwhiten(variance, ridge) for variance in (self.pictures, self.texts))
        crossed = np.linalg.solve(left, np.linalg.solve(right, self.both.T).T)
        first, correlation, second = np.linalg.svd(crossed, full_matrices=False)
        weights = correlation[:dimension] ** POWER
        return (
            np.linalg.solve(left.T, first[:, :dimension]) * weights,
            np.linalg.solve(right.T, second[:dimension].T) * weights,
        )


def _unwhiten(variance: Floats, ridge: float) -> Floats:
    """The lower triangle L with L L' = the variance and its ridge."""
    size = len(variance)
    lower: Floats = np.linalg.cholesky(
        variance + ridge * np.trace(variance) / size * np.eye(size, dtype=variance.dtype)
    )
    return lower


def _frequent(corpus: Corpus, tokenizer: Tokenizer, words: int) -> Integers:
    """(vocabulary,): the column of each token, -1 for those that are not among the most frequent."""
    counts = np.zeros(tokenizer.vocabulary_size, np.int64)
    for texts in corpus.texts:
        for text in texts:
            counts[np.unique(tokenizer.encode(text.text))] += 1
    kept = np.argsort(-counts, kind="stable")[:words]
    column = np.full(len(counts), -1)
    column[kept] = np.arange(len(kept))
    return column


def _pairs(corpus: Corpus, tokenizer: Tokenizer, column: Integers) -> tuple[Integers, Floats, Floats]:
    """Row of each text's picture (m,), pictures (n, c), texts (m, words) as zeros and ones of unit length."""
    texts = [(row, text.text) for row, some in enumerate(corpus.texts) for text in some]
    present = np.zeros((len(texts), column.max() + 1), np.float32)
    for place, (_, text) in enumerate(texts):
        columns = column[tokenizer.encode(text)]
        present[place, columns[columns >= 0]] = 1
    pictures = np.asarray(corpus.images, np.float32).mean(1)
    return np.array([row for row, _ in texts]), pictures, _unit(present)


def _unit(rows: Floats) -> Floats:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
