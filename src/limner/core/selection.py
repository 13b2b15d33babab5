"""A selection: the ids that a search is limited to, made once for a filter and put to any number of indexes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Integers

_SPREAD = 64
"""Ids spread over at most so many numbers each are kept as one mask, too."""


class Selection:
    """A set of ids. Looking up a consecutive stretch of them costs a copy of one byte an id, whatever is selected."""

    __slots__ = ("_mask", "ids")

    def __init__(self, ids: Integers) -> None:
        """`ids` (n,) ascend, each once; they stay as they are from now on. Raises InputError."""
        ids = np.asarray(ids, np.int64)
        if np.any(ids[1:] <= ids[:-1]):
            raise InputError("a selection needs ids that ascend, each once")
        self.ids = ids
        self._mask: npt.NDArray[np.bool_] | None = None
        """Of the ids from the first to the last."""
        if len(ids) and int(ids[-1]) - int(ids[0]) < _SPREAD * len(ids):
            self._mask = np.zeros(int(ids[-1] - ids[0]) + 1, np.bool_)
            self._mask[ids - ids[0]] = True

    def __len__(self) -> int:
        return len(self.ids)

    def between(self, first: int, last: int) -> npt.NDArray[np.bool_]:
        """(last - first + 1,): which of the ids first, first + 1, ... last are selected."""
        mask = np.zeros(last - first + 1, np.bool_)
        if self._mask is None:
            mask[self.ids[self._within(first, last)] - first] = True
            return mask
        base = int(self.ids[0])
        start, stop = max(first, base), min(last + 1, base + len(self._mask))
        if start < stop:
            mask[start - first : stop - first] = self._mask[start - base : stop - base]
        return mask

    def mask(self, ids: Integers) -> npt.NDArray[np.bool_]:
        """(n,): which of these ascending ids, each there once, are selected."""
        if _consecutive(ids):
            return self.between(int(ids[0]), int(ids[-1]))
        mask = np.zeros(len(ids), np.bool_)
        if self._mask is None:
            mask[self._find(ids)] = True
        else:
            low, high = np.searchsorted(ids, self.ids[0]), np.searchsorted(ids, self.ids[-1], "right")
            mask[low:high] = self._mask[ids[low:high] - self.ids[0]]
        return mask

    def rows(self, ids: Integers) -> Integers:
        """(m,) ascending: where among these ascending ids, each there once, the selected ones stand."""
        return self._find(ids) if self._mask is None else np.flatnonzero(self.mask(ids))

    def _find(self, ids: Integers) -> Integers:
        if not len(ids):
            return np.empty(0, np.int64)
        asked = self.ids[self._within(int(ids[0]), int(ids[-1]))]
        places = asked - ids[0] if _consecutive(ids) else np.searchsorted(ids, asked)
        found: Integers = places[ids[places] == asked]
        return found

    def _within(self, first: int, last: int) -> slice:
        return slice(int(np.searchsorted(self.ids, first)), int(np.searchsorted(self.ids, last, "right")))


def _consecutive(ids: Integers) -> bool:
    return len(ids) > 0 and int(ids[-1]) - int(ids[0]) == len(ids) - 1
