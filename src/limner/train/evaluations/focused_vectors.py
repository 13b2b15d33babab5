"""Whether the vectors of one picture differ, and whether the one that finds a thing is that of the thing's place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers
from limner.nn.heads.focus import QUADRANTS
from limner.train.corpora.crowds import LEVELS
from limner.train.evaluations.zoom_levels import object_scores, one_level
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

HIT = 10


@dataclass(frozen=True, slots=True)
class FocusedVectors:
    """For models with a `Focus`; needs the split of `ZoomLevels`.

    vectors a picture            the whole picture's and those of the prompts: what an index keeps of each
    cosine within a picture      mean over the pairs of a picture's vectors
    cosine between pictures      the same of the same prompt's vectors of neighbouring pictures: the bound
    right quadrant wins          share of the hits (recall@10, hard) of which the best of the four prompts'
                                 vectors is that of the thing's quadrant; things that lie across two are left out
    ..., prompts shuffled        the same with the vectors of each picture in an order drawn anew
    ..., by chance               one in four
    """

    split: str = "test views"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        whole = corpus.take(range(0, len(corpus), len(LEVELS)))
        tokens = trained.encode_images(whole).tokens
        if tokens is None or tokens.shape[1] != 1 + len(QUADRANTS):
            raise InputError("the winning vector needs a model with four prompts: Towers(focus=Focus())")
        vectors = tokens.cpu().numpy()
        texts = trained.encode_texts([some[0].text for some in whole.texts]).vectors.cpu().numpy()
        quadrant = np.array([look.quadrant for look in whole.truth])
        asked = hits(object_scores(trained, corpus)) & (quadrant >= 0)
        per_prompt = np.einsum("nkd,nd->nk", vectors[:, 1:], texts)
        rng = np.random.default_rng(0)
        shuffled = rng.permuted(per_prompt, axis=1)
        wins = "right quadrant wins"
        return {
            "vectors a picture": Measured.of(vectors.shape[1]),
            "cosine within a picture": Measured.of(within(vectors)),
            "cosine between pictures": Measured.of(np.einsum("nkd,nkd->nk", vectors, np.roll(vectors, 1, 0)).mean(1)),
            wins: Measured.of(winners(per_prompt, quadrant, asked)),
            f"{wins}, prompts shuffled": Measured.of(winners(shuffled, quadrant, asked)),
            f"{wins}, by chance": Measured.of(1 / len(QUADRANTS)),
        }


def hits(scores: Floats) -> npt.NDArray[np.bool_]:
    """(n,): whether a text has its picture, at the hard level, among the first HIT."""
    pool, right = one_level(scores, 0)
    return (pool > pool[right][:, None]).sum(1) < HIT


def within(vectors: Floats) -> Floats:
    """Unit vectors (n, k, d) -> (n,): the mean cosine of two of the same picture."""
    k = vectors.shape[1]
    sums = np.square(np.linalg.norm(vectors.sum(1), axis=-1)) - k
    means: Floats = sums / (k * (k - 1))
    return means


def winners(scores: Floats, quadrant: Integers, asked: npt.NDArray[np.bool_]) -> Floats:
    """1 where the best of (n, 4) is that of the quadrant, of those that are asked; one 0 where none is."""
    won = (scores.argmax(1) == quadrant)[asked]
    return won.astype(np.float64) if len(won) else np.zeros(1)
