"""Dot products that are compared and not kept: by the C extension where it was built, by numpy elsewhere.

The compiled loops read each vector once and write nothing but what is found: for a few queries that is as fast as
memory gives the vectors, for many queries as fast as a processor with AVX512-BF16 multiplies. They serve some
threads at once; numpy's product has its own.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
import numpy.typing as npt

from limner.core.runtime import cpu_count
from limner.core.types import Floats, Integers

compiled: ModuleType | None
"""The C extension, or None."""
try:
    from limner.index import _products as compiled  # type: ignore[attr-defined,no-redef,unused-ignore]
except ImportError:
    compiled = None

FEW = 8
"""Up to so many queries the compiled loop compares float32 numbers, beyond it rounds them first."""

_FOUND = 1 << 17
"""So many candidates the compiled loops find at most before they come back (2 MB)."""

_ROUNDED_ROWS = 1 << 16
"""So many rows are one piece of work for a thread."""

_NUMPY_SCORES, _NUMPY_ROWS = 1 << 22, 1 << 14
"""So many products numpy holds at a time (16 MB), of at most so many rows."""


def threads(query_count: int) -> int:
    """In how many threads `find` is best called."""
    return cpu_count() if _is_rounded(query_count) else 1


def most_rows(query_count: int) -> int:
    """Over how many rows at a time `find` is best called."""
    if _is_rounded(query_count):
        return _ROUNDED_ROWS
    return 1 << 62 if _is_compiled(query_count) else min(_NUMPY_ROWS, max(1, _NUMPY_SCORES // query_count))


def find(
    vectors: Floats, rows: Integers | None, start: int, stop: int, queries: Floats, floors: Floats, norm: float
) -> tuple[int, Integers, Integers, Floats]:
    """The pairs of a query and a row whose product reaches the query's floor.

    `vectors` (n, d), none longer than `norm`; of these rows (m,) or, if None, of all, the places start to stop are
    looked at. Returns the place where it stopped, and the query, the place and the product of each pair. A product in
    float32, so off by as much as `margins` says.
    """
    if not _is_compiled(len(queries)):
        part = vectors[start:stop] if rows is None else vectors[rows[start:stop]]
        products = queries @ part.T
        owners, places = np.nonzero(products >= floors[:, None])
        return stop, owners, places + start, products[owners, places]
    assert compiled is not None
    size = max(_FOUND, 12 * len(queries))
    owners, places, scores = np.empty(size, np.int32), np.empty(size, np.int64), np.empty(size, np.float32)
    slack = rounding(queries, norm).astype(np.float32) if _is_rounded(len(queries)) else None
    place, count = compiled.scan(vectors, rows, start, stop, queries, floors, slack, owners, places, scores)
    return place, owners[:count].astype(np.int64), places[:count], scores[:count]


def margins(lengths: npt.NDArray[np.float64], norm: float, size: int) -> npt.NDArray[np.float64]:
    """How far a product in float32 of vectors of `size` numbers may be off: (q,) for queries of these lengths.

    A sum of d terms, in any order, is off by less than d / 2^24 of |q||v|; the constant covers numbers too small for a
    relative error.
    """
    return (size + 4) * 2.0**-24 * norm * lengths + 1e-37


def rounding(queries: Floats, norm: float) -> npt.NDArray[np.float64]:
    """How much further a product of numbers rounded to bfloat16 may be off: (q,).

    Each number is off by at most 2^-8 of itself, so by Cauchy and Schwarz the products together by 2^-7 + 2^-16 of
    |q||v|; the sum is rounded like one in float32. What is smaller than 2^-126 counts as 0.
    """
    lengths = np.linalg.norm(queries.astype(np.float64), axis=1)
    size = queries.shape[1]
    share = 2.0**-7 + 2.0**-15 + (size + 4) * 2.0**-22
    slack: npt.NDArray[np.float64] = share * norm * lengths + size * 2.0**-124 * (1 + norm + lengths)
    return slack


def _is_compiled(query_count: int) -> bool:
    return compiled is not None and (query_count <= FEW or bool(compiled.CAN_ROUND))


def _is_rounded(query_count: int) -> bool:
    return compiled is not None and query_count > FEW and bool(compiled.CAN_ROUND)
