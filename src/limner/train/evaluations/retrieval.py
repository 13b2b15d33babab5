"""Retrieval in both directions, by picture or by what is shown: the measure of nearly every recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Floats, Integers
from limner.eval.metrics import AveragePrecision, RankMetric, Recall, Success
from limner.eval.retrieval import rank_relevant
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

Relevance = Literal["picture", "text", "concept"]


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Texts of a split search its pictures, and the reverse.

    `roles`, `language`: only such texts ask. `relevance`: what is right for a text: the picture it was written
    for; every picture that has the same text; every picture of its picture's concept. The names of the metrics
    begin with `name` where one is given.
    """

    split: str = "test"
    roles: tuple[str, ...] = ()
    language: str = ""
    relevance: Relevance = "picture"
    name: str = ""

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        chosen = [
            (row, text.text)
            for row, texts in enumerate(corpus.texts)
            for text in texts
            if (not self.roles or text.role in self.roles) and self.language in ("", text.language)
        ]
        if not chosen:
            raise InputError(f"{corpus.name}: no text of role {self.roles} in language {self.language!r} to ask with")
        owner = np.array([row for row, _ in chosen])
        scores = trained.scores(trained.encode_images(corpus), trained.encode_texts([text for _, text in chosen]))
        right = self._right(owner, [text for _, text in chosen], corpus.concepts, len(corpus))
        return self._both(scores, right, owner)

    def _right(self, owner: Integers, texts: Sequence[str], concepts: Integers | None, count: int) -> np.ndarray:
        """(m texts, n pictures) bool."""
        if self.relevance == "concept":
            if concepts is None:
                raise InputError("retrieval by concept needs data with a concept for each picture")
            return concepts[owner][:, None] == concepts[None, :]
        right = np.zeros((len(owner), count), bool)
        right[np.arange(len(owner)), owner] = True
        if self.relevance == "text":
            number = np.unique(texts, return_inverse=True)[1]
            pictures_with = np.zeros((number.max() + 1, count), bool)
            pictures_with[number, owner] = True
            right = pictures_with[number]
        return right

    def _both(self, scores: Floats, right: np.ndarray, owner: Integers) -> Outcome:
        asked = np.flatnonzero(right.any(0))
        several = right.sum(1).max() > 1
        cuts: tuple[RankMetric, ...] = (
            (AveragePrecision(), Success(1)) if several else tuple(Recall(k) for k in (1, 5, 10))
        )
        of_texts = ranked(scores.T, right, cuts)
        of_pictures = ranked(scores[asked], right.T[asked], (AveragePrecision(), *map(Success, (1, 5, 10))))
        prefix = f"{self.name} " if self.name else ""
        outcome = {f"{prefix}text-to-image {name}": Measured.of(values, owner) for name, values in of_texts.items()}
        found = {f"{prefix}image-to-text {name}": Measured.of(values) for name, values in of_pictures.items()}
        return {**outcome, **found}


def ranked(scores: Floats, right: np.ndarray, metrics: Sequence[RankMetric]) -> dict[str, np.ndarray]:
    """Values of each metric, (q,), for queries with `scores` (q, pool) and `right` (q, pool) bool."""
    width = int(right.sum(1).max())
    relevant = np.full((len(right), width), -1)
    rows, columns = np.nonzero(right)
    counts = right.sum(1)
    relevant[rows, np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)] = columns
    judged = rank_relevant([scores], relevant)
    return {metric.name: metric.values(judged) for metric in metrics}
