"""Several weighted terms as one question in a space: the arithmetic of words, minus and weights.

With what the model makes of the terms, u_i, and their weights w_i (negative: wanted absent),

    score(x) = sum_i share_i(x)        share_i(x) = w_i s(u_i, x) / scale

where s is the similarity of the space, so each term's share of a score is known, and the shares add up to it.

    dense     scale = |sum_i w_i u_i|, so that the score is the cosine of x and the sum; one direction is searched
    sparse    scale = sum_i |w_i|; the weighted words of all terms together are one query
    tokens    s is the mean over a term's vectors of the best of x (MaxSim by their number), scale = sum_i |w_i|;
              a maximum is not linear, so each wanted term is searched by itself
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Dense, Floats, Integers, Representation, Sparse, Tokens

CANCELLED = 1e-4
"""Below this length (relative to the sum of |w|) what is left of a sum is rounding, not meaning."""

Weights = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A question of t terms in one space."""

    labels: tuple[str, ...]
    weights: Weights
    """(t,)"""
    units: Representation
    """What the model made of the t terms."""
    queries: Representation
    """What the index is asked for candidates with: none, one or several."""
    scale: float

    def shares(self, similarities: Floats) -> Floats:
        """Each term's share (t, n) of the scores of n items, from their similarities (t, n)."""
        return (self.weights[:, None] * similarities / self.scale).astype(np.float32)

    def by_word(self, name: Callable[[int], str]) -> Asked:
        """The same question of a sparse space with each weighted word of a term as a term of its own."""
        assert isinstance(self.units, Sparse)
        owner = np.repeat(np.arange(len(self.units)), np.diff(self.units.indptr))
        weights = self.weights[owner] * self.units.values
        signs = ("-" if weight < 0 else "" for weight in weights.tolist())
        labels = tuple(sign + name(term) for sign, term in zip(signs, self.units.indices.tolist(), strict=True))
        n = len(weights)
        alone = Sparse(np.arange(n + 1), self.units.indices, np.ones(n, np.float32), self.units.vocabulary_size)
        return Asked(labels, weights, alone, self.queries, self.scale)

    def by_vector(self, names: Sequence[Sequence[str]]) -> Asked:
        """The same question of a space of tokens with each vector of a term as a term of its own, called by its name.

        A name that comes again is numbered. A term stays whole that has no name for each of its vectors.
        """
        assert isinstance(self.units, Tokens)
        labels: list[str] = []
        weights: list[float] = []
        lengths: list[int] = []
        said = Counter[str]()
        counts = np.diff(self.units.offsets).tolist()
        for label, weight, own, count in zip(self.labels, self.weights.tolist(), names, counts, strict=True):
            named = len(own) == count
            for name in own if named else [label]:
                name = "-" + name if named and weight < 0 else name
                said[name] += 1
                labels.append(f"{name} ({said[name]})" if said[name] > 1 else name)
                weights.append(weight)
                lengths.append(1 if named else count)
        apart = Tokens(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64), self.units.values)
        return Asked(tuple(labels), np.array(weights), apart, self.queries, self.scale)


def compose(labels: tuple[str, ...], weights: Weights, units: Representation) -> Asked:
    """Terms with `labels` and `weights` (t,); dense `units` have length 1.

    Raises InputError where dense terms cancel one another.
    """
    size = float(np.abs(weights).sum())
    if isinstance(units, Dense):
        total = weights @ units.values.astype(np.float64)
        scale = float(np.linalg.norm(total))
        if scale <= CANCELLED * size:
            raise InputError("the terms of the query cancel one another: nothing is left to look for")
        return Asked(labels, weights, units, Dense((total / scale).astype(np.float32)[None]), scale)
    if isinstance(units, Sparse):
        return Asked(labels, weights, units, _summed(weights / size, units), size)
    wanted: Integers = np.flatnonzero(weights > 0)
    each = weights / np.maximum(np.diff(units.offsets), 1)
    return Asked(labels, each, units, units.take(wanted), size)


def _summed(weights: Weights, units: Sparse) -> Sparse:
    """The weighted sum of the rows, as one row."""
    terms, place = np.unique(units.indices, return_inverse=True)
    values = units.values * np.repeat(weights, np.diff(units.indptr))
    total = np.bincount(place, values, minlength=len(terms)).astype(np.float32)
    return Sparse(np.array([0, len(terms)]), terms, total, units.vocabulary_size)
