"""The cluster store: k-means over stored vectors, and the nearest clusters of each (Lloyd 1982; Arthur and
Vassilvitskii 2007, "k-means++"). Labels for ClusterDiscrimination (card 50), facets for browsing.

scipy's k-means++ compares all samples with all earlier centres for each new one, and leaves empty clusters behind.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

ROWS_AT_A_TIME = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Clusters:
    centres: Floats
    """(k, d)"""
    fingerprint: str
    """Of the vectors they were made from."""

    def nearest(self, vectors: Floats, count: int) -> Integers:
        """(n, count) numbers of the nearest clusters of each of (n, d) vectors, the nearest first."""
        if not 1 <= count <= len(self.centres):
            raise InputError(f"{count} clusters of each vector were asked for, there are {len(self.centres)}")
        found = np.empty((len(vectors), count), np.int64)
        for rows, distances in _distances(vectors, self.centres):
            some = np.argpartition(distances, count - 1, axis=1)[:, :count]
            order = np.take_along_axis(distances, some, 1).argsort(1, kind="stable")
            found[rows] = np.take_along_axis(some, order, 1)
        return found

    def save(self, path: Path) -> None:
        """Written beside and renamed: never half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        np.savez(partial, centres=self.centres, fingerprint=np.array(self.fingerprint))
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> Clusters:
        """Raises InputError where the file is missing or holds no clusters."""
        try:
            # Opened here, since numpy leaves a broken archive open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return cls(stored["centres"], str(stored["fingerprint"]))
        except (OSError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: no stored clusters there; make them with stored_clusters") from error


def fingerprint(vectors: Floats) -> str:
    """Of shape and content of (n, d) float32."""
    digest = hashlib.sha256(repr(vectors.shape).encode())
    digest.update(np.ascontiguousarray(vectors, np.float32).data)
    return digest.hexdigest()


def stored_clusters(path: Path, vectors: Floats, count: int, *, seed: int = 0) -> Clusters:
    """Those at `path`, or made from (n, d) `vectors` and kept there.

    Raises InputError where the stored ones came from other vectors or are not `count`.
    """
    if not path.exists():
        clusters = Clusters(k_means(vectors, count, seed=seed), fingerprint(vectors))
        clusters.save(path)
        return clusters
    clusters = Clusters.load(path)
    if len(clusters.centres) != count or clusters.fingerprint != fingerprint(vectors):
        raise InputError(f"{path}: these clusters came from other vectors or settings; delete it to make them anew")
    return clusters


def k_means(vectors: Floats, count: int, *, seed: int = 0, iterations: int = 20) -> Floats:
    """Centres (count, d) of (n, d) vectors, by squared distance; the same for the same seed.

    A cluster that is left empty moves to the vector that is farthest from its own centre. Raises InputError where
    there are fewer vectors than clusters.
    """
    if not 1 <= count <= len(vectors):
        raise InputError(f"{count} clusters cannot be made of {len(vectors)} vectors")
    vectors = np.ascontiguousarray(vectors, np.float32)
    centres = _spread_out(vectors, count, np.random.default_rng(seed))
    before = None
    for _ in range(iterations):
        labels, distances = _assign(vectors, centres)
        if before is not None and np.array_equal(labels, before):
            break
        before = labels
        order = labels.argsort(kind="stable")
        used, starts, sizes = np.unique(labels[order], return_index=True, return_counts=True)
        centres[used] = np.add.reduceat(vectors[order], starts) / sizes[:, None]
        empty = np.setdiff1d(np.arange(count), used)
        centres[empty] = vectors[distances.argsort(kind="stable")[::-1][: len(empty)]]
    return centres


def _spread_out(vectors: Floats, count: int, random: np.random.Generator) -> Floats:
    """Starting centres: each is a vector drawn in proportion to its squared distance to those before it."""
    centres = np.empty((count, vectors.shape[1]), np.float32)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    chosen = int(random.integers(len(vectors)))
    nearest = np.full(len(vectors), np.inf, np.float32)
    for place in range(count):
        centres[place] = vectors[chosen]
        nearest = np.minimum(nearest, (squares - 2 * vectors @ centres[place] + squares[chosen]).clip(min=0))
        nearest[chosen] = 0
        reach = nearest.cumsum(dtype=np.float64)
        # Where all distances are zero (more clusters than unlike vectors) any vector is as good.
        chosen = int(np.searchsorted(reach, random.uniform(0, reach[-1]), side="right")) % len(vectors)
    return centres


def _assign(vectors: Floats, centres: Floats) -> tuple[Integers, Floats]:
    """The nearest centre of each vector, and the squared distance to it."""
    labels, least = np.empty(len(vectors), np.int64), np.empty(len(vectors), np.float32)
    for rows, distances in _distances(vectors, centres):
        labels[rows] = distances.argmin(1)
        least[rows] = distances.min(1)
    return labels, least


def _distances(vectors: Floats, centres: Floats) -> Iterator[tuple[slice, Floats]]:
    """Rows at a time, and their squared distances (rows, k) to the centres."""
    squares = (centres**2).sum(1)
    for start in range(0, len(vectors), ROWS_AT_A_TIME):
        rows = slice(start, start + ROWS_AT_A_TIME)
        some = np.asarray(vectors[rows], np.float32)
        yield rows, (some**2).sum(1)[:, None] - 2 * some @ centres.T + squares
