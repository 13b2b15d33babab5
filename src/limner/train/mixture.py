"""Who belongs to the low lot: a mixture of two normal distributions over one number a sample
(Dempster et al. 1977; for noisy pairs: Li et al. 2020, "DivideMix"; card 99, PC2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError

Floats = npt.NDArray[np.float64]

ITERATIONS, TOLERANCE = 200, 1e-7
SMALLEST_VARIANCE = 1e-4
"""Of values scaled to 0..1: no component may shrink onto a single sample."""


@dataclass(frozen=True, slots=True, eq=False)
class Mixture:
    """Of values scaled to 0..1; the component of the lower mean comes first."""

    means: Floats
    variances: Floats
    shares: Floats

    def log_densities(self, values: Floats) -> Floats:
        """(n,) -> (n, 2), weighted by the shares."""
        distance = (values[:, None] - self.means) ** 2 / self.variances
        densities: Floats = np.log(self.shares) - (distance + np.log(2 * np.pi * self.variances)) / 2
        return densities


def fit_two(values: Floats) -> Mixture:
    """Expectation maximisation over values (n,) between 0 and 1, from the lower and the upper half: deterministic."""
    high = values > (values.min() + values.max()) / 2
    belongs = np.stack([~high, high], 1).astype(np.float64)
    before = -np.inf
    for _ in range(ITERATIONS):
        total = np.maximum(belongs.sum(0), 1e-12)
        means = belongs.T @ values / total
        spread = (belongs * (values[:, None] - means) ** 2).sum(0) / total
        mixture = Mixture(means, np.maximum(spread, SMALLEST_VARIANCE), total / total.sum())
        densities = mixture.log_densities(values)
        evidence = np.logaddexp(densities[:, 0], densities[:, 1])
        belongs = np.exp(densities - evidence[:, None])
        if evidence.mean() - before < TOLERANCE:
            break
        before = evidence.mean()
    order = np.argsort(mixture.means)
    return Mixture(mixture.means[order], mixture.variances[order], mixture.shares[order])


def probability_low(values: npt.ArrayLike) -> Floats:
    """(n,) numbers (losses, say) -> (n,) probability of the component with the lower mean; it falls with the value.

    The values are scaled to 0..1 first. Where all are equal there is one lot only, and each gets 1. Raises
    InputError for no values or one that is no finite number.
    """
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise InputError("a mixture needs a list of finite numbers, at least one")
    low, high = values.min(), values.max()
    if high == low:
        return np.ones(len(values))
    scaled = (values - low) / (high - low)
    mixture = fit_two(scaled)
    # Outside the two means the broader component would win on both sides: the lowest loss of all would count as high.
    densities = mixture.log_densities(scaled.clip(*mixture.means))
    lower: Floats = np.exp(densities[:, 0] - np.logaddexp(densities[:, 0], densities[:, 1]))
    return lower


def split_clean(probability: Floats, threshold: float = 0.5) -> npt.NDArray[np.bool_]:
    """(n,) bool, True above the threshold; were all of them, the lowest hundredth (at least one) is not (card 99)."""
    clean = probability > threshold
    if clean.all():
        clean[np.argsort(probability, kind="stable")[: max(1, len(clean) // 100)]] = False
    return clean
