"""How much of a partition a search must read so that the recall asked for is reached: learnt, then looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers

COUNTS = (1, 10, 30, 100, 300, 1000)
"""For so many neighbours effort is learnt; between them, and beyond, it follows the logarithm of k."""

_LOSSES = np.geomspace(0.5, 1e-3, 13)
"""For so much recall lost effort is learnt. Less is not asked of a few hundred sample queries."""

_SHARES = (0.83, 0.15, 0.02)
"""Of the recall that may be lost, so much is lost to lists not read, to 1-bit codes and to int8 codes."""

_SPARE = 8
"""So many candidates and rescored rows more than learnt: cheap, and quantiles of few queries are rough."""


@dataclass(frozen=True, slots=True)
class Effort:
    gap: float
    """Lists are read whose centroids score at most so much less than the best one."""
    candidates: int
    """So many rows go on from the 1-bit codes to the int8 codes."""
    shortlist: int
    """So many go on from the int8 codes to the caller."""


@dataclass(frozen=True, slots=True, eq=False)
class Trials:
    """What q sample queries need, and what broad searches for them found."""

    gaps: Floats
    """(q, m): the gaps of the lists of the true neighbours of each query, nearest first."""
    places: Integers
    """(q, 2, m): where these neighbours stand among the f rows found, best by 1-bit code and best by int8 code
    first; f for one that is not among them."""
    found_gaps: Floats
    """(q, 2, f): the gaps of the lists of the rows found, in both orders."""

    def ranks(self, count: int, gap: float) -> Integers:
        """Ranks (2, x), from 1, that the x of the first `count` neighbours that lie within `gap` would have had,
        if only the lists within `gap` had been read.

        For one that was not found the first is behind all, and the second 0, as it was never rescored.
        """
        places, near = self.places[:, :, :count], self.gaps[:, :count] <= gap
        within = np.pad(self.found_gaps <= gap, ((0, 0), (0, 0), (0, 1)), constant_values=True)
        ranks = np.take_along_axis(np.cumsum(within, axis=2, dtype=np.int32), places, axis=2)
        ranks[:, 1][places[:, 1] == self.found_gaps.shape[2]] = 0
        return ranks.swapaxes(0, 1)[:, near].astype(np.int64)


class EffortTable:
    """The effort that recalls as many of the true neighbours of sample queries as is asked for."""

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self._counts: npt.NDArray[np.float64] = np.log(np.asarray(arrays["effort_counts"], np.float64))
        self._losses: npt.NDArray[np.float64] = np.log(np.asarray(arrays["effort_losses"], np.float64))
        self._needs: npt.NDArray[np.float64] = np.asarray(arrays["effort_needs"], np.float64)
        self.effort = lru_cache(maxsize=1024)(self._effort)  # most searches ask for the same
        """See `_effort`."""

    def _effort(self, k: int, recall: float, share: float = 1.0) -> Effort:
        """What finds on average `recall` of the k nearest among a `share` of the rows. Raises InputError.

        The k nearest of a share s of the rows lie about where the k/s nearest of all rows lie.
        """
        if not 0 < recall < 1:
            raise InputError(f"recall is {recall}; it must lie between 0 and 1, both excluded")
        loss = float(np.log(1 - recall))
        candidates = max(k, round(self._need(1, k, loss))) + _SPARE
        shortlist = max(k, round(self._need(2, k, loss))) + _SPARE
        return Effort(self._need(0, k / share, loss), candidates, min(candidates, shortlist))

    def _need(self, stage: int, k: float, loss: float) -> float:
        """From rows between what was learnt; ranks as multiples of k, which change slowly with it."""
        learnt: list[npt.NDArray[np.float64]] = list(self._needs[stage])
        needs = np.array([np.interp(-loss, -self._losses, row) for row in learnt])
        if stage:
            return k * float(np.interp(np.log(k), self._counts, needs / np.exp(self._counts)))
        beyond = max(0.0, np.log(k) - self._counts[-1])
        slope = np.diff(needs)[-1] / np.diff(self._counts)[-1] if len(needs) > 1 else 0.0
        return float(np.interp(np.log(k), self._counts, needs) + slope * beyond)


def learn(samples: Sequence[Trials], counts: Sequence[int]) -> dict[str, npt.NDArray[np.generic]]:
    """The arrays of an `EffortTable` that serves the most demanding of several kinds of queries."""
    needs = np.zeros((3, len(counts), len(_LOSSES)))
    for trials in samples:
        for row, count in enumerate(counts):
            for column, loss in enumerate(_LOSSES):
                lost = loss * np.array(_SHARES)
                gap = _quantile(trials.gaps[:, :count].reshape(-1), lost[0])
                coarse, fine = trials.ranks(count, gap)
                candidates = _quantile(coarse, lost[1])
                shortlist = _quantile(fine[(coarse <= candidates) & (fine > 0)], lost[2])
                needs[:, row, column] = np.maximum(needs[:, row, column], (gap, candidates, shortlist))
    return {
        "effort_counts": np.asarray(counts, np.int64),
        "effort_losses": _LOSSES,
        "effort_needs": np.maximum.accumulate(np.maximum.accumulate(needs, axis=1), axis=2),
    }


def _quantile(needs: Floats | Integers, loss: float) -> float:
    """What suffices for all but the share `loss` of the needs; 0 if there is none."""
    return float(np.quantile(needs, 1 - loss, method="higher")) if len(needs) else 0.0
