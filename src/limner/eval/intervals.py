"""How sure a number is: bootstrap over queries, and a randomisation test between two systems.

Queries that hang together are resampled together. Five captions of one picture are no five independent
questions: a picture that is hard is hard for all five. Each query names its cluster (the picture), and a
draw takes whole clusters, in both directions at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Integers
from limner.eval.metrics.base import Doubles, Statistic


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One metric's values, one a query."""

    name: str
    values: Doubles
    """(n,)"""
    queries: Sequence[str]
    """(n,) their ids, so that two samples can be paired."""
    clusters: Integers
    """(n,) in 0 .. number of clusters - 1, each cluster used; samples that are drawn together share them."""
    statistic: Statistic = "mean"

    @property
    def value(self) -> float:
        return float(np.median(self.values) if self.statistic == "median" else np.mean(self.values))


def bootstrap(samples: Sequence[Sample], *, draws: int, seed: int) -> Doubles:
    """The statistic of each sample in each draw of clusters with replacement: (len(samples), draws).

    Equal clusters and seed give the same draws, so that two systems' results may be subtracted draw by draw.
    Raises InputError where the samples don't cover the same clusters.
    """
    count = _cluster_count(samples)
    sums = np.stack([np.bincount(sample.clusters, sample.values, count) for sample in samples])
    sizes = np.stack([np.bincount(sample.clusters, minlength=count) for sample in samples])
    medians = [row for row, sample in enumerate(samples) if sample.statistic == "median"]
    sums[medians] = 0.0  # may hold inf, which 0 draws of it would turn into nan
    results = np.empty((len(samples), draws))
    rng = np.random.default_rng(seed)
    for draw in range(draws):
        weights = np.bincount(rng.integers(count, size=count), minlength=count)
        results[:, draw] = (sums @ weights) / (sizes @ weights)
        for row in medians:
            sample = samples[row]
            results[row, draw] = np.median(np.repeat(sample.values, weights[sample.clusters]))
    return results


def interval(draws: Doubles, level: float) -> tuple[float, float]:
    """The percentile interval of one statistic's draws (draws,): between them lies `level` of the draws."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], method="closest_observation")
    return float(low), float(high)


def swap(first: Sequence[Sample], second: Sequence[Sample], *, draws: int, seed: int) -> Doubles:
    """Differences (second - first) when each cluster's results are swapped by the toss of a coin: (samples, draws).

    If the two systems were alike, the observed difference would be one more of these (Fisher's randomisation
    test; Smucker et al. 2007 compare the tests in use). Values must be paired: same queries, same clusters.
    """
    count = _cluster_count([*first, *second])
    rng = np.random.default_rng(seed)
    gains = np.zeros((len(first), count))
    for row, (one, other) in enumerate(zip(first, second, strict=True)):
        if one.statistic == "mean":
            gains[row] = np.bincount(one.clusters, other.values - one.values, count) / len(one.values)
    results = np.empty((len(first), draws))
    for draw in range(draws):
        swapped = rng.integers(2, size=count, dtype=np.int8)
        results[:, draw] = gains @ (1.0 - 2.0 * swapped)
        for row, (one, other) in enumerate(zip(first, second, strict=True)):
            if one.statistic == "median":
                turned = swapped[one.clusters] == 1
                mine = np.median(np.where(turned, other.values, one.values))
                theirs = np.median(np.where(turned, one.values, other.values))
                results[row, draw] = difference(mine, theirs)
    return results


def difference(first: npt.ArrayLike, second: npt.ArrayLike) -> Doubles:
    """second - first, where two infinite ranks differ by nothing."""
    with np.errstate(invalid="ignore"):
        return np.where(np.equal(first, second), 0.0, np.subtract(second, first))


def p_value(observed: float, swapped: Doubles) -> float:
    """Two-sided: the share of random swaps (draws,) that differ at least as much; never 0 for finite draws."""
    as_large = np.count_nonzero(np.abs(swapped) >= abs(observed) * (1 - 1e-9))  # less the rounding of sums
    return float((1 + as_large) / (1 + swapped.size))


def _cluster_count(samples: Sequence[Sample]) -> int:
    if not samples or not all(len(sample.values) for sample in samples):
        raise InputError("nothing to measure: no query has a relevant item")
    found = [np.unique(sample.clusters) for sample in samples]
    count = int(found[0][-1]) + 1
    if not all(np.array_equal(each, np.arange(count)) for each in found):
        raise InputError("the samples do not cover the same clusters of queries, so they cannot be drawn together")
    return count
