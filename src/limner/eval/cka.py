"""Centred kernel alignment: how much two spaces agree on which items are alike, whatever their coordinates.

    CKA(X, Y) = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),   K = X X^T, L = Y Y^T

It is 1 for spaces that differ by a rotation and a scale, and 0 (in expectation, without bias) for unrelated ones.
Kornblith et al. 2019, arXiv 1905.00414; the estimator without bias of Song et al. 2012, JMLR 13, as in Nguyen et al.
2021, arXiv 2010.15327. Card 29 (Freeze-Align) chooses encoders by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Floats
from limner.eval.metrics.base import Doubles


def cka(first: Floats, second: Floats, *, unbiased: bool = True) -> float:
    """Of the same n items in two spaces, (n, d) and (n, e): at most 1.

    `unbiased` may be slightly below 0 for unrelated spaces; the biased form grows towards 1 as n falls below the
    number of dimensions, whatever the spaces. Raises InputError for fewer than 4 items, unlike numbers of items, or a
    space in which all items are the same.
    """
    if len(first) != len(second) or len(first) < 4:
        raise InputError(
            f"{len(first)} and {len(second)} items: CKA compares at least 4 items, the same in both spaces"
        )
    grams = [_gram(np.asarray(space, np.float64), unbiased) for space in (first, second)]
    of_both, of_first, of_second = (
        float((one * other).sum()) for one, other in ((grams[0], grams[1]), (grams[0], grams[0]), (grams[1], grams[1]))
    )
    if min(of_first, of_second) <= 1e-12:
        raise InputError("all items of a space are the same, so it agrees with nothing")
    return of_both / float(np.sqrt(of_first * of_second))


def compare_spaces(first: Mapping[str, Floats], second: Mapping[str, Floats]) -> dict[tuple[str, str], float]:
    """The CKA of each space of `first` with each of `second`, by their names; all hold the same items, in order."""
    return {(one, other): cka(first[one], second[other]) for one in first for other in second}


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's: the correlation of the places, equal values sharing the mean of theirs; nan where all are equal."""
    places = [_places(np.asarray(values, np.float64)) for values in (first, second)]
    one, other = (ranks - ranks.mean() for ranks in places)
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale else float("nan")


def _gram(space: Doubles, unbiased: bool) -> Doubles:
    """(n, n): inner products, centred so that the sum of products of two such matrices is their HSIC up to a factor."""
    n = len(space)
    space = space - space.mean(0)
    scale = np.abs(space).max()
    gram = (space / (scale or 1.0)) @ (space / (scale or 1.0)).T
    if not unbiased:
        return gram
    np.fill_diagonal(gram, 0.0)  # Song et al. 2012, eq. 5, as the product of U-centred matrices (Szekely & Rizzo 2014)
    rows = gram.sum(1) / (n - 2)
    gram = np.asarray(gram - rows[:, None] - rows[None, :] + gram.sum() / ((n - 1) * (n - 2)))
    np.fill_diagonal(gram, 0.0)
    return gram


def _places(values: Doubles) -> Doubles:
    below = (values[None, :] < values[:, None]).sum(1)
    equal = (values[None, :] == values[:, None]).sum(1)
    return np.asarray(below + (equal + 1) / 2, np.float64)
