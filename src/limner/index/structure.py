"""A structure: what makes a large space quick to search, derived from the live rows of some of its shards.

Its rows are numbered by ascending key as they were when it was built, and it never changes: what is added later
stands in shards that it does not cover, and what was removed is masked. It may be thrown away at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from limner.core.selection import Selection
from limner.core.types import Integers
from limner.index.arrays import Array, Arrays

_TAIL_SHARE = 50
"""A structure is built anew when more than one in so many items is not in it."""
_WASTE_SHARE = 4
"""... or when more than one in so many of its rows is gone."""

_FEW_RUNS = 100
"""So many runs of keys are looked up one by one."""


@dataclass(frozen=True, eq=False)
class Structure:
    """`alive` (rows,): which rows a search may find; None: all."""

    name: str
    arrays: Arrays
    alive: npt.NDArray[np.bool_] | None

    def __len__(self) -> int:
        return count_rows(self.arrays)

    def keys(self, rows: Integers) -> Integers:
        return keys_of(self.arrays, rows)

    def allowed(self, among: Selection | None) -> npt.NDArray[np.bool_] | None:
        """(rows,): which rows are alive and selected. None: all."""
        if among is None:
            return self.alive
        firsts, counts = self.arrays["run_keys"], np.diff(self.arrays["run_rows"])
        if len(firsts) <= _FEW_RUNS:
            runs = zip(firsts.tolist(), counts.tolist(), strict=True)
            parts = [among.between(first, first + count - 1) for first, count in runs]
            mask = np.concatenate([np.empty(0, np.bool_), *parts]) if len(parts) != 1 else parts[0]
        else:
            mask = among.mask(self.every_key)
        return mask if self.alive is None else mask & self.alive

    @cached_property
    def every_key(self) -> Integers:
        """(rows,)."""
        return self.keys(np.arange(len(self)))


def key_arrays(keys: Integers) -> dict[str, Array]:
    """Ascending keys as runs of consecutive ones: a handful of numbers where few items were ever removed."""
    starts = np.flatnonzero(np.diff(keys, prepend=keys[:1] - 2) != 1)
    return {"run_keys": keys[starts], "run_rows": np.append(starts, len(keys)).astype(np.int64)}


def count_rows(arrays: Arrays) -> int:
    return int(arrays["run_rows"][-1])


def keys_of(arrays: Arrays, rows: Integers) -> Integers:
    """The keys of these rows."""
    run = np.searchsorted(arrays["run_rows"], rows, "right") - 1
    keys: Integers = arrays["run_keys"][run] + rows - arrays["run_rows"][run]
    return keys


def rows_of(arrays: Arrays, keys: Integers) -> Integers:
    """The rows of those keys that the structure knows."""
    starts, first = arrays["run_rows"], arrays["run_keys"]
    if not len(first):
        return np.empty(0, np.int64)
    run = np.maximum(np.searchsorted(first, keys, "right") - 1, 0)
    past = keys - first[run]
    known = (past >= 0) & (past < starts[run + 1] - starts[run])
    rows: Integers = (starts[run] + past)[known]
    return rows


def alive_rows(arrays: Arrays, live: Sequence[Integers]) -> npt.NDArray[np.bool_] | None:
    """The mask of the rows whose keys are in `live`; None where they all are."""
    mask = np.zeros(count_rows(arrays), np.bool_)
    for keys in live:
        mask[rows_of(arrays, keys)] = True
    return None if mask.all() else mask


def is_due(rows: int, covered: int, live: int, least: int) -> bool:
    """Whether a structure of `rows` rows, `covered` of which are alive, should be built anew, or dropped, for
    `live` items in all. Below `least` items none is needed."""
    if live < least:
        return rows > 0 and live < least // 2
    if not rows:
        return True
    tail, waste = live - covered, rows - covered
    return tail > max(least, live // _TAIL_SHARE) or waste > max(least, rows // _WASTE_SHARE)
