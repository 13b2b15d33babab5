"""Where a picture was found: for each word of the question the place of the picture that it likes best.

With token-wise matching (MaxSim; card 19, FILIP, arXiv 2111.07783) the explanation is no second model's guess: the
products of a word and its best place are the terms of which the score is the mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Floats, Region


def find_words(words: Sequence[str], vectors: Floats, tokens: Floats, grid: tuple[int, ...]) -> list[Region]:
    """For each word, `vectors` (w, d), the place of a picture whose token is most like it; the word is its label.

    `tokens` (rows * columns, d): one for each place of the `grid` (rows, columns), row by row. Raises InputError where
    the numbers do not fit.
    """
    rows, columns = grid
    if len(tokens) != rows * columns or len(words) != len(vectors):
        raise InputError(
            f"{len(words)} words with {len(vectors)} vectors, {len(tokens)} tokens for {rows} x {columns} places: "
            "give one for each; if a model says so of itself, convert it again"
        )
    best = (np.asarray(vectors) @ np.asarray(tokens).T).argmax(axis=1)
    return [
        Region((column / columns, row / rows, (column + 1) / columns, (row + 1) / rows), word)
        for word, (row, column) in zip(words, (divmod(token, columns) for token in best.tolist()), strict=True)
    ]


def best_place(parts: Mapping[str, float], regions: Mapping[str, Region]) -> Region | None:
    """The place whose parts together give most of a score, with their words as its label.

    None where no place speaks for the picture, or several as loud as one another.
    """
    shares: defaultdict[tuple[float, ...], float] = defaultdict(float)
    for name, region in regions.items():
        shares[region.box] += parts[name]
    most = max(shares.values(), default=0.0)
    best = [box for box, share in shares.items() if share == most]
    if most <= 0 or len(best) > 1:
        return None
    here = [region for region in regions.values() if region.box == best[0]]
    return Region(here[0].box, " ".join(region.label for region in here))
