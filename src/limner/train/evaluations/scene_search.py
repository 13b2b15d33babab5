"""Pictures that search pictures, judged by how much their scenes have in common."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Floats
from limner.data.world import similarities
from limner.eval.metrics.base import Doubles
from limner.eval.metrics.ndcg import ndcg
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class SceneSearch:
    """nDCG@`k` of each picture's search among the others, by cosine; the grade is the F1 of the two scene graphs.

    Needs drawn scenes with their truth. Pictures in random order get far more than 0: every two scenes share something.
    """

    split: str = "test"
    k: int = 10

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        if not len(corpus.truth):
            raise InputError(f"{corpus.name}: a search judged by scene graphs needs drawn scenes with their truth")
        vectors = trained.encode_images(corpus).vectors.cpu().numpy()
        values = graded_search(vectors @ vectors.T, similarities(corpus.truth, corpus.truth), self.k)
        return {f"image-to-image nDCG@{self.k} by scene graph": Measured.of(values)}


def graded_search(scores: Floats, grades: Floats, k: int) -> Doubles:
    """nDCG@k of each of n things among the n - 1 others; (n, n), (n, n) -> (n,)."""
    others = ~np.eye(len(scores), dtype=bool)
    scores, grades = (values[others].reshape(len(scores), -1) for values in (scores, grades))
    ranks = 1 + np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
    return ndcg(ranks.astype(np.float64), grades.astype(np.float64), k)
