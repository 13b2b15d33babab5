"""What plain word search finds in descriptions, alone and together with a trained encoder (card 120)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.sparse

from limner.core.errors import InputError
from limner.core.types import Floats
from limner.eval.metrics import Recall
from limner.train.evaluations.by_description import documents
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

CUTS = (1, 5, 10)
RANK = 60
"""The constant of reciprocal rank fusion (Cormack et al. 2009)."""


@dataclass(frozen=True, slots=True)
class WordSearch:
    """Texts of the role `asking` look for their picture among the descriptions of the role `role`.

    words: recall@k     by BM25 (Robertson et al. 1994) over lower-case words; no model plays a part
    hybrid: recall@k    reciprocal rank fusion of BM25 and the model's own similarity of the two texts
    """

    role: str = "both"
    asking: str = "caption"
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        asked = [
            (row, text.text) for row, texts in enumerate(corpus.texts) for text in texts if text.role == self.asking
        ]
        if not asked:
            raise InputError(f"{corpus.name}: no text of role {self.asking!r}")
        owner, questions = np.array([row for row, _ in asked]), [text for _, text in asked]
        read = documents(corpus, self.role)
        words = bm25(read, questions)
        vectors = trained.scores(trained.encode_texts(read), trained.encode_texts(questions)).T
        right = owner[:, None] == np.arange(len(corpus))[None, :]
        outcome: dict[str, Measured] = {}
        for name, scores in (("words", words), ("hybrid", by_rank(words) + by_rank(vectors))):
            found = ranked(scores, right, [Recall(cut) for cut in CUTS])
            outcome |= {f"{name}: {metric}": Measured.of(values, owner) for metric, values in found.items()}
        return outcome


def words_of(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def bm25(documents: Sequence[str], questions: Sequence[str], k1: float = 1.2, b: float = 0.75) -> Floats:
    """(m questions, n documents): each of a question's words w, once, adds idf(w) tf (k1 + 1) / (tf + k1 (1 - b + b
    length / mean length)), tf its number in the document; idf(w) = log(1 + (n - df + 0.5) / (df + 0.5))."""
    column: dict[str, int] = {}
    counts = _counts(documents, column)
    lengths = np.asarray(counts.sum(1)).ravel()
    asked = _counts(questions, dict(column))[:, : len(column)]
    df = np.bincount(counts.indices, minlength=len(column))
    idf = np.log1p((len(documents) - df + 0.5) / (df + 0.5))
    weights = counts.tocoo()
    norm = k1 * (1 - b + b * lengths / max(lengths.mean(), 1e-9))
    impacts = idf[weights.col] * weights.data * (k1 + 1) / (weights.data + norm[weights.row])
    index = scipy.sparse.csr_array((impacts, (weights.row, weights.col)), shape=counts.shape)
    return np.asarray(((asked > 0).astype(np.float64) @ index.T).todense(), np.float32)


def _counts(texts: Sequence[str], column: dict[str, int]) -> scipy.sparse.csr_array:
    """(texts, words): how often each word is in each; words that are new get the next columns."""
    rows, columns = [], []
    for row, text in enumerate(texts):
        found = [column.setdefault(word, len(column)) for word in words_of(text)]
        rows += [row] * len(found)
        columns += found
    counts = scipy.sparse.coo_array((np.ones(len(rows)), (rows, columns)), shape=(len(texts), len(column)))
    return counts.tocsr()


def by_rank(scores: Floats) -> Floats:
    """(m, n): 1 / (RANK + the rank of each in its row, from 1); equal scores share the mean of their ranks' places."""
    order = np.sort(-scores, axis=1)
    ranks = np.empty(scores.shape, np.float32)
    for row, (found, own) in enumerate(zip(order, -scores, strict=True)):
        ranks[row] = (np.searchsorted(found, own, "left") + np.searchsorted(found, own, "right") + 1) / 2
    return 1 / (RANK + ranks)
