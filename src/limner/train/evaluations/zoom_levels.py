"""The protocol of SORCE-1K: a small thing is looked for among pictures that are there at three levels (card 119)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from limner.core.features import Encoded
from limner.core.types import Floats
from limner.data.corpus import Corpus
from limner.eval.metrics import Recall
from limner.train.batches import see_maps
from limner.train.corpora.crowds import LEVELS
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import CHUNK, Trained, join

CUTS = (1, 5, 10)


@dataclass(frozen=True, slots=True)
class ZoomLevels:
    """Row 3 i + l of the split is picture i at level l (see LEVELS), with a text of the role "object" each.

    All views of all pictures are ONE pool. When a text is judged at a level, the other two views of its picture are
    taken out: they count for nothing and stand in nobody's way. In the other direction a view looks for its text
    among one text of each picture. "half as much again" is 1.5 times the recall, for claims of a ratio.

    `side` below 1: each picture is a set of windows, squares of that side whose corners lie `step` apart, beside the
    whole, every one encoded as if it were a picture; the best one counts. The windows are cut out of maps.
    """

    split: str = "test views"
    side: float = 1.0
    step: float = 1.0
    name: str = ""

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        scores = object_scores(trained, corpus, windows(self.side, self.step) if self.side < 1 else ())
        outcome: dict[str, Measured] = {}
        prefix = f"{self.name} " if self.name else ""
        own = np.eye(scores.shape[1], dtype=bool)
        for level, name in enumerate(LEVELS):
            pool, right = one_level(scores, level)
            found = ranked(pool, right, [Recall(cut) for cut in CUTS])
            outcome |= {f"{prefix}{name} text-to-image {metric}": Measured.of(found[metric]) for metric in found}
            outcome[f"{prefix}{name} text-to-image recall@10, half as much again"] = Measured.of(
                1.5 * found["recall@10"]
            )
            back = ranked(scores[level :: len(LEVELS)], own, [Recall(1)])
            outcome[f"{prefix}{name} image-to-text recall@1"] = Measured.of(back["recall@1"])
        return outcome


def one_level(scores: Floats, level: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """(3 n views, n texts) -> (n, 3 n) scores, the other views of a text's own picture behind all, and what is right.

    As many views stand behind all as before, so that the place of each other one is that in a pool without them.
    """
    texts = np.arange(scores.shape[1])
    pool, right = scores.T.copy(), np.zeros(scores.T.shape, bool)
    for other in range(len(LEVELS)):
        if other != level:
            pool[texts, len(LEVELS) * texts + other] = -np.inf
    right[texts, len(LEVELS) * texts + level] = True
    return pool, right


def object_scores(trained: Trained, corpus: Corpus, crops: Tensor | tuple[()] = ()) -> Floats:
    """(3 n, n): of every view with one text of each picture; the best over the whole and its `crops`, if any."""
    texts = trained.encode_texts([corpus.texts[row][0].text for row in range(0, len(corpus), len(LEVELS))])
    scores = trained.scores(trained.encode_images(corpus), texts)
    for crop in crops:
        scores = np.maximum(scores, trained.scores(_encoded(trained, corpus, crop), texts))
    return scores


def windows(side: float, step: float) -> Tensor:
    """(windows, 2, 3) affine maps from the whole to each square of that side, `step` apart, edge to edge."""
    corners = np.arange(0, 1 - side + 1e-9, step)
    crops = torch.zeros(len(corners) ** 2, 2, 3)
    for crop, (top, left) in zip(crops, product(corners, corners), strict=True):
        crop[0, 0] = crop[1, 1] = side
        crop[0, 2], crop[1, 2] = 2 * left + side - 1, 2 * top + side - 1
    return crops


@torch.no_grad()
def _encoded(trained: Trained, corpus: Corpus, crop: Tensor) -> Encoded:
    def parts() -> Iterator[Encoded]:
        for start in range(0, len(corpus), CHUNK):
            images = torch.from_numpy(np.array(corpus.images[start : start + CHUNK]))
            seen = see_maps(images, crop.expand(len(images), 2, 3), 0).to(trained.device)
            yield trained.model.encode_image(seen, torch.arange(start, start + len(images)))

    return join(list(parts()))
