"""A sketch of vectors: a byte a number, to look quickly through rows that no structure covers yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.types import Floats, Integers
from limner.index import products

_ROWS = 256
"""So many rows are sketched at a time: they stay in the second cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A query as 16-bit numbers."""

    numbers: npt.NDArray[np.int16]
    """(d,)."""
    unit: float
    """What 1 is worth. 0: the query is as good as nothing, and nothing is known of its products."""
    length: float
    off: float
    """Length of the difference between the query and this."""

    @staticmethod
    def of(query: npt.NDArray[np.float64]) -> Question:
        length = float(np.linalg.norm(query))
        if length < 1e-30:
            return Question(np.zeros(len(query), np.int16), 0.0, length, length)
        sizes = np.abs(query)
        # 128 times the sum of the rounded sizes must fit into 31 bits, too.
        unit = max(float(sizes.max()) / 32767, float(sizes.sum()) / (2.0**24 - 1 - len(query)))
        numbers = np.rint(query / unit)
        return Question(numbers.astype(np.int16), unit, length, float(np.linalg.norm(query - numbers * unit)))


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """n vectors as code times scale, and how far those may be off. Only where `products.compiled`."""

    codes: npt.NDArray[np.int8]
    """(n, d)."""
    scales: Floats
    """(n,)."""
    longest: float
    """Euclidean length of the longest vector."""
    off: float
    """Length of the longest difference between a vector and its sketch."""

    @staticmethod
    def of(vectors: Floats) -> Sketch:
        codes, scales = np.empty(vectors.shape, np.int8), np.empty(len(vectors), np.float32)
        longest = off = 0.0
        for start in range(0, len(vectors), _ROWS):
            part = slice(start, start + _ROWS)
            own = vectors[part]
            scales[part] = np.abs(own).max(axis=1, initial=0) / np.float32(127)
            scale = scales[part, None]
            rounded = np.rint(own / np.where(scale > 0, scale, np.float32(1)))
            codes[part] = np.clip(rounded, -127, 127, out=rounded)
            longest = max(longest, _longest(own))
            off = max(off, _longest(own - rounded * scale))
        return Sketch(codes, scales, longest, off + 2.0**-22 * longest + 1e-37)

    def near(self, asked: Question, floor: float) -> Integers:
        """The rows (m,) whose dot product with the query may be `floor` or more, and few others. Ascending.

        With q = b + f and v = c + e, |qv - bc| <= |f||v| + |b||e| (Cauchy and Schwarz).
        """
        if not asked.unit:
            return np.arange(len(self.codes))
        margin = asked.off * self.longest + (asked.length + asked.off) * self.off
        margin += 2.0**-21 * asked.length * self.longest + 1e-37  # the last steps are made in float32
        rows = np.empty(len(self.codes), np.int64)
        assert products.compiled is not None
        least = (floor - margin) / asked.unit
        return rows[: products.compiled.near(self.codes, self.scales, asked.numbers, least, rows)]


def _longest(vectors: npt.NDArray[np.floating[Any]]) -> float:
    return float(np.sqrt(np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64).max(initial=0)))
