"""R-Sum, the field's one number for image-text retrieval (0 to 600)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.eval.metrics.rsum import rsum
from limner.train.evaluations.retrieval import Retrieval
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class RSum:
    """Recall@1, 5, 10 of texts asking for their picture and of pictures asking for one of their texts, in per cent.

    The value of a picture sums its own six recalls, the first three as means over its captions; every picture
    must have equally many, so that the mean over the pictures is the R-Sum of the literature.
    """

    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        found = Retrieval(split=self.split)(trained)
        of_texts = [found[f"text-to-image recall@{k}"] for k in (1, 5, 10)]
        of_pictures = [found[f"image-to-text success@{k}"].values for k in (1, 5, 10)]
        means = [np.bincount(one.clusters, one.values) / np.bincount(one.clusters) for one in of_texts]
        return {"rsum": Measured.of(rsum(np.stack([*means, *of_pictures])))}
