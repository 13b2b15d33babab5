"""Dense vectors as image encoders make them: clusters of very unequal size, few directions that vary much, and
queries from another modality, which lie at a distance from everything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from limner.core.types import Dense, Floats, Kind, Representation
from limner.measure.search.workload import Workload, power_law, unit

_SHAPE, _ITEMS, _QUERIES = range(3)
"""Streams of chance."""


@dataclass(frozen=True)
class ClusteredVectors(Workload):
    """Unit vectors of `size` dimensions; the dot product is their cosine.

    An item is common part + centre of its cluster + variation inside of it. Centres and variation have a spectrum that
    falls as a power of the rank of the direction, in a rotated basis that every cluster shares. A query is an item,
    perturbed, plus the constant gap between the modalities (Liang et al. 2022, "Mind the gap"), brought to length 1.
    """

    size: int = 512
    items_a_cluster: int = 200
    cluster_exponent: float = 0.7
    """Sizes of clusters fall as their rank to the power of minus this."""
    decay: float = 0.5
    """Variances of the directions fall as their rank to the power of minus twice this."""
    common: float = 0.8
    """Length of the part that all items share, where a centre is 1 long."""
    spread: float = 0.8
    """Typical length of the variation inside a cluster; it differs from cluster to cluster."""
    perturbation: float = 0.6
    """Length of what a query is away from its item, the gap left aside, where the item is 1 long."""
    gap: float = 0.8

    name: ClassVar[str] = "clustered vectors"
    kind: ClassVar[Kind] = "dense"

    def block(self, number: int, rows: int) -> Dense:
        rng = self.generator(_ITEMS, number)
        cluster = np.searchsorted(self._clusters.until, rng.random(rows))
        inner: Floats = self._varied(rng, rows) * self._clusters.spread[cluster, None]
        inner += self._clusters.centres[cluster]
        rotated: Floats = inner @ self._rotation
        return Dense(unit(rotated))

    def queries(self, items: Representation) -> Mapping[str, Dense]:
        assert isinstance(items, Dense)
        rng = self.generator(_QUERIES)
        asked = items.values[np.sort(rng.choice(len(items), self.query_count))]
        away = self.perturbation * self._varied(rng, self.query_count) @ self._rotation
        queries: Floats = asked + away + self.gap * self._gap_direction
        return {"cross-modal": Dense(unit(queries))}

    def _varied(self, rng: np.random.Generator, rows: int) -> Floats:
        """(rows, size) with the falling spectrum, of length about 1."""
        vectors: Floats = rng.standard_normal((rows, self.size), np.float32) * self._scales
        return vectors

    @cached_property
    def _scales(self) -> Floats:
        scales: Floats = np.sqrt(power_law(self.size, 2 * self.decay)).astype(np.float32)
        return scales

    @cached_property
    def _rotation(self) -> Floats:
        """(size, size) orthonormal: no axis of the vectors is special."""
        square = self.generator(_SHAPE, 0).standard_normal((self.size, self.size))
        return np.linalg.qr(square)[0].astype(np.float32)

    @cached_property
    def _gap_direction(self) -> Floats:
        return unit(self.generator(_SHAPE, 1).standard_normal(self.size, np.float32))

    @cached_property
    def _clusters(self) -> _Clusters:
        rng = self.generator(_SHAPE, 2)
        count = max(2, self.n // self.items_a_cluster)
        common = unit(self._varied(rng, 1)) * self.common
        spread = (self.spread * rng.lognormal(0, 0.25, count)).astype(np.float32)
        until = np.cumsum(power_law(count, self.cluster_exponent))
        until[-1] = 1
        return _Clusters(unit(self._varied(rng, count)) + common, spread, until)


@dataclass(frozen=True)
class _Clusters:
    centres: Floats
    """(clusters, size)."""
    spread: Floats
    until: npt.NDArray[np.float64]
    """(clusters,) cumulated probabilities."""
