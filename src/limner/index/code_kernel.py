"""The two loops of a partition: the compiled ones where the C extension was built, the same in numpy elsewhere.

Both give the same answers to the last bit. The extension is missing where limner was installed without a C
compiler; a search of a million vectors then takes tens of milliseconds instead of half of one.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
import numpy.typing as npt

from limner.core.types import Floats, Integers

compiled: ModuleType | None
"""The C extension, or None."""
try:
    from limner.index import _code_kernel as compiled  # type: ignore[attr-defined,no-redef,unused-ignore]
except ImportError:
    compiled = None

GROUP = 8
"""So many codes stand beside each other, word by word."""

BITS = 4
"""So finely a query is quantised against the 1-bit codes; with 8 bits a scan is slower and finds no more."""

_STEP = 0.335
"""Of 16 equal steps, the size that loses least of a normally distributed number of variance 1 (Max, 1960)."""

_NONE = np.empty(0, np.int64)

Allowed = npt.NDArray[np.bool_]
Words = npt.NDArray[np.uint64]
Rows = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True, eq=False)
class Lists:
    """The 1-bit codes of vectors, list after list; arrays are filled up to whole groups."""

    bits: Words
    """(groups, words, GROUP)"""
    factors: Floats
    """(groups x GROUP,): what the sum of signs times query coordinates is multiplied with."""
    rows: Rows
    """(groups x GROUP,)"""
    starts: Integers
    """(lists + 1,): the place of the first code of each list, and how many codes there are."""


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A query as small integers: of 4 bits against 1-bit codes, of 16 against int8 codes."""

    planes: Words
    """(words, BITS): the bits of each coordinate, the least first; the last one counts against (two's complement)."""
    step: np.float32
    """What 1 is worth in `planes`."""
    sum: int
    """Of all coordinates in `planes`."""
    fine: npt.NDArray[np.int16]
    """(d,)"""
    fine_step: np.float32
    """What 1 is worth in `fine`, against codes of int8."""


def quantised(query: Floats, scale: Floats) -> Query:
    """A query (d,) against codes whose coordinates have the steps `scale` (d,)."""
    size = len(query)
    step = np.float32(max(_STEP * float(np.linalg.norm(query)) / size**0.5, 1e-30))
    small = np.clip(np.rint(query / step), -8, 7).astype(np.int8)
    bits = np.zeros((BITS, 64 * -(-size // 64)), np.uint8)
    bits[:, :size] = small >> np.arange(BITS)[:, None] & 1
    planes = np.packbits(bits, axis=1, bitorder="little").view("<u8").T
    weighted = query * scale
    # The largest integers of 16 bits with which no sum of d products with int8 leaves 31 bits.
    fine_step = np.float32(max(float(np.abs(weighted).max()), 1e-30) / min(32767, (2**31 - 1) // (127 * size)))
    fine = np.rint(weighted / fine_step).astype(np.int16)
    return Query(np.ascontiguousarray(planes), step, int(small.sum(dtype=np.int64)), fine, fine_step)


def scan(
    lists: Lists, query: Query, scores: Floats, gap: float, count: int, allowed: Allowed | None
) -> tuple[Integers, Floats]:
    """(rows, rough scores), in no order, of the `count` best rows; equal scores go to the smaller row.

    Lists are read best first, `scores` (lists,) float32, until one scores `gap` less than the first that has an
    allowed row, and `count` of those were seen; fewer are given if there are not so many.
    Raises ValueError if the lists are damaged and that is noticed.
    """
    filled = lists.starts[1:] > lists.starts[:-1]
    if allowed is None:
        best = scores.max(initial=-np.inf, where=filled)
        near = np.flatnonzero(filled & (scores >= best - np.float32(gap)))
        rows, rough = _read(lists, query, near, scores, gap, count, None)
        if len(rows) == count:  # as nearly always, and there was no need to sort all lists
            return rows.astype(np.int64), rough
    rows, rough = _read(lists, query, np.flatnonzero(filled), scores, gap, count, allowed)
    return rows.astype(np.int64), rough


def dots(codes: npt.NDArray[np.int8], query: Query, rows: Integers | None = None) -> Floats:
    """The dot product of the query with the codes (n, d) of these rows (m,), or of all."""
    if compiled is None:
        exact = (codes if rows is None else codes[rows]) @ query.fine.astype(np.int64)
        return exact.astype(np.float32) * query.fine_step
    out = np.empty(len(codes) if rows is None else len(rows), np.int32)
    compiled.dots(codes, query.fine, None if rows is None else rows.astype(np.uint32), out)
    return out.astype(np.float32) * query.fine_step


def _read(
    lists: Lists, query: Query, chosen: Integers, scores: Floats, gap: float, count: int, allowed: Allowed | None
) -> tuple[Rows | Integers, Floats]:
    """`scan` of these lists only, in the order of their scores."""
    order = chosen[np.argsort(-scores[chosen])]
    if compiled is None:
        return _scan(lists, query, order, scores[order], np.float32(gap), count, allowed)
    rows, rough = np.empty(count, np.uint32), np.empty(count, np.float32)
    arrays = lists.bits, lists.factors, lists.rows, lists.starts, query.planes, order, scores[order], allowed
    found = compiled.scan(*arrays, rows, rough, query.step, query.sum, gap)
    return rows[:found], rough[:found]


def _scan(
    lists: Lists, query: Query, order: Integers, scores: Floats, gap: np.float32, count: int, allowed: Allowed | None
) -> tuple[Integers, Floats]:
    places, bases, seen, floor = [], [], 0, np.float32(0)
    for number, score in zip(order, scores, strict=True):
        if seen >= count and score < floor:
            break
        own = np.arange(lists.starts[number], lists.starts[number + 1])
        own = own if allowed is None else own[allowed[lists.rows[own]]]
        if not seen and len(own):
            floor = score - gap
        seen += len(own)
        places.append(own)
        bases.append(np.full(len(own), score))
    place, base = np.concatenate([_NONE, *places]), np.concatenate([np.empty(0, np.float32), *bases])
    sums = np.zeros(len(place), np.int64)
    codes = lists.bits[place // GROUP, :, place % GROUP]
    for bit, weight in enumerate((1, 2, 4, -8)):
        sums += weight * np.bitwise_count(codes & query.planes[:, bit]).sum(axis=1, dtype=np.int64)
    rough = base + lists.factors[place] * (query.step * (2 * sums - query.sum).astype(np.float32))
    rows = lists.rows[place].astype(np.int64)
    best = np.lexsort((rows, -rough))[:count]
    return rows[best], rough[best]
