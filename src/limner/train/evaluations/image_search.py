"""Pictures that search pictures: how well a tower puts like with like, without any text."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Integers
from limner.data.corpus import Corpus
from limner.data.world import label_vectors
from limner.eval.metrics import AveragePrecision, Success
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class ImageSearch:
    """Each picture of a split searches the others, by cosine.

    `by`: what makes another picture right: that it has the same "concept"; that it shows an object of the same
    colour and shape ("objects", drawn scenes only); that it has the same number in the target of that name.
    `objects`: only scenes with at least so many objects ask and are searched. A picture that is like no other one
    stays in the pool and asks nothing.
    """

    by: str = "concept"
    split: str = "test"
    objects: int = 0

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        if self.objects:
            corpus = corpus.take(np.flatnonzero([len(scene.objects) >= self.objects for scene in corpus.truth]))
        vectors = trained.encode_images(corpus).vectors
        scores = (vectors @ vectors.T).cpu().numpy()
        right = self._alike(corpus)
        np.fill_diagonal(right, False)
        np.fill_diagonal(scores, -np.inf)
        asked = np.flatnonzero(right.any(1))
        if not len(asked):
            raise InputError(f"{corpus.name}: no two pictures are alike by {self.by}, so there is nothing to search")
        values = ranked(scores[asked], right[asked], (AveragePrecision(), Success(1)))
        return {f"image-to-image {name} by {self.by}": Measured.of(found) for name, found in values.items()}

    def _alike(self, corpus: Corpus) -> np.ndarray:
        """(n, n) bool."""
        if self.by == "objects":
            shown = label_vectors(corpus.truth).astype(np.float32)
            return shown @ shown.T > 0
        numbers = self._numbers(corpus)
        return numbers[:, None] == numbers[None, :]

    def _numbers(self, corpus: Corpus) -> Integers:
        if self.by == "concept" and corpus.concepts is not None:
            return corpus.concepts
        if self.by not in corpus.targets:
            known = ", ".join(corpus.targets) or "no targets"
            raise InputError(f"{corpus.name}: no {self.by!r} of the pictures is known; there are: {known}")
        return corpus.targets[self.by]
