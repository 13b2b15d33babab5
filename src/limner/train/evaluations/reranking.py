"""A similarity that no index serves: it puts what the cosine found into another order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.types import Floats
from limner.eval.metrics import Recall, Success
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

CUTS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class Reranking:
    """The cosine finds the `depth` best of a split, the model's own similarity orders them; both directions."""

    depth: int = 50
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        texts = [(row, text.text) for row, some in enumerate(corpus.texts) for text in some]
        owner = np.array([row for row, _ in texts])
        images, words = trained.encode_images(corpus), trained.encode_texts([text for _, text in texts])
        cosine = (images.vectors @ words.vectors.T).cpu().numpy()
        own = trained.scores(images, words)
        right = owner[None, :] == np.arange(len(corpus))[:, None]
        asked = np.flatnonzero(right.any(1))
        of_texts = ranked(reordered(cosine.T, own.T, self.depth), right.T, tuple(map(Recall, CUTS)))
        order = reordered(cosine[asked], own[asked], self.depth)
        of_pictures = ranked(order, right[asked], tuple(map(Success, CUTS)))
        suffix = f"of the cosine's best {self.depth} reranked"
        found = {f"text-to-image {name} {suffix}": Measured.of(values, owner) for name, values in of_texts.items()}
        back = {f"image-to-text {name} {suffix}": Measured.of(values) for name, values in of_pictures.items()}
        return {**found, **back}


def reordered(first: Floats, second: Floats, depth: int) -> Floats:
    """(q, pool) scores whose order is that of `second` in the `depth` best of `first`, behind them that of `first`."""
    depth = min(depth, first.shape[1])
    cut = np.partition(first, -depth, axis=1)[:, -depth, None]
    behind = first - first.max() + second.min() - 1  # below whatever the second gives
    return np.where(first >= cut, second, behind)
