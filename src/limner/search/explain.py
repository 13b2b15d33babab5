"""Why a picture was found: for each word of the question the place of the picture that it likes best.

With token-wise matching (MaxSim; card 19, FILIP, arXiv 2111.07783) the explanation is no second model's guess: these
are the terms of which the score is the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Region

Maps = npt.NDArray[np.floating]


@dataclass(frozen=True, slots=True)
class Match:
    """One word and its best token: `similarity` is its term of the score, `region` where the token looks."""

    word: str
    token: int
    similarity: float
    region: Region


def explain_words(words: Sequence[str], vectors: Floats, tokens: Floats, maps: Maps) -> list[Match]:
    """For each word, `vectors` (w, d), its best among the `tokens` (t, d) of one picture.

    `maps` (t, rows, columns): how much of each place is in each token; `grid_maps` where each token is one place, the
    reducer's attention where tokens are learnt mixtures. The region is the box around all places of half the greatest
    weight and more, its label the word. The mean of the similarities is the score of the question. Raises InputError
    where the numbers of words, tokens and maps do not fit.
    """
    if len(words) != len(vectors) or len(tokens) != len(maps) or not len(tokens):
        raise InputError(
            f"{len(words)} words with {len(vectors)} vectors, {len(tokens)} tokens with {len(maps)} maps: give one for "
            "each, and a token at least"
        )
    scores = np.asarray(vectors) @ np.asarray(tokens).T
    best = scores.argmax(1) if len(words) else np.empty(0, np.int64)
    return [
        Match(word, int(token), float(scores[row, token]), _region(maps[token], word))
        for row, (word, token) in enumerate(zip(words, best, strict=True))
    ]


def grid_maps(rows: int, columns: int) -> npt.NDArray[np.float32]:
    """(rows * columns, rows, columns): each token is one place, row by row."""
    return np.eye(rows * columns, dtype=np.float32).reshape(-1, rows, columns)


def _region(weights: Maps, label: str) -> Region:
    down, across = weights.shape
    rows, columns = np.nonzero(weights >= weights.max() / 2)
    box = (columns.min() / across, rows.min() / down, (columns.max() + 1) / across, (rows.max() + 1) / down)
    return Region((float(box[0]), float(box[1]), float(box[2]), float(box[3])), label)
