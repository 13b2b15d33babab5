"""Partition: the near rows of a large set of vectors, found by reading a small part of their codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers
from limner.index.coded import CodedLists, near_lists
from limner.index.effort import Effort, EffortTable

_QUERIES = 64
"""So many queries are scanned in one call, spread over the threads of faiss."""

_TOGETHER = 8
"""For so many queries at once reading all centroids is no loss."""

_BROAD = 0.9
"""Where so many rows are allowed, lists are chosen as if all were: counting those of each list takes longer."""


class Partition:
    """The searchable side of `partition_build.build`.

    A search reads the lists whose centroids score nearly as well as the best one, so that a query in
    the middle of a cluster reads few and one that lies between many reads more; the effort table says
    what "nearly" must mean, and how many rows go on from 1-bit to int8 codes and from there to the
    caller, for the recall asked for. Arrays are read where they lie, so opening takes milliseconds at
    any size and what is not read need not be in memory. Safe to search from several threads.
    """

    def __init__(self, arrays: Mapping[str, npt.NDArray[np.generic]]) -> None:
        self._coded = CodedLists(arrays)
        self._efforts = EffortTable(arrays)
        self._longest = float(np.asarray(arrays["longest"]).item())

    def __len__(self) -> int:
        return len(self._coded)

    def search(
        self, queries: Floats, k: int, recall: float, allowed: npt.NDArray[np.bool_] | None = None
    ) -> list[tuple[Integers, Floats]]:
        """For each of `queries` (q, d): rows (m,) int64 and their rough dot products float32, best first.

        They hold on average `recall` of the k rows that have the highest dot product with the query, and
        are never fewer than k while there are so many among the `allowed` (n,): score them exactly to
        find the best k. Equal rough scores are ordered by row. Raises InputError.
        """
        if k < 1:
            raise InputError(f"k is {k}; it must be at least 1")
        eligible = len(self) if allowed is None else int(np.count_nonzero(allowed))
        if not eligible:
            return [(np.empty(0, np.int64), np.empty(0, np.float32)) for _ in queries]
        effort = self._efforts.effort(k, recall, eligible / len(self))
        lengths: Floats = np.linalg.norm(queries, axis=1).astype(np.float32) * np.float32(self._longest)
        turned = self._coded.turned(queries)
        found = []
        for start in range(0, len(queries), _QUERIES):
            part = slice(start, start + _QUERIES)
            candidates = self._candidates(turned[part], effort, allowed, eligible)
            for query, length, rows in zip(turned[part], lengths[part], candidates, strict=True):
                if not length:  # equally far from all
                    rows = (np.arange(len(self)) if allowed is None else np.flatnonzero(allowed))[: effort.candidates]
                scores = self._coded.rescored(query, rows) * length
                order = np.argsort(-scores, kind="stable")[: effort.shortlist]
                found.append((rows[order], scores[order]))
        return found

    def _candidates(
        self, queries: Floats, effort: Effort, allowed: npt.NDArray[np.bool_] | None, eligible: int
    ) -> list[Integers]:
        """The best rows of each query by 1-bit code, ascending."""
        wanted = min(effort.candidates, eligible)
        broad = eligible >= _BROAD * len(self)
        found = self._scanned(queries, self._lists(queries, effort, None if broad else allowed), wanted, allowed)
        if broad and (found < 0).any():
            found = self._scanned(queries, self._lists(queries, effort, allowed), wanted, allowed)
        return [np.sort(rows) for rows in found]

    def _scanned(
        self, queries: Floats, chosen: list[Integers], count: int, allowed: npt.NDArray[np.bool_] | None
    ) -> Integers:
        lists = np.full((len(queries), max(map(len, chosen))), -1, np.int64)
        for row, numbers in zip(lists, chosen, strict=True):
            row[: len(numbers)] = numbers
        return self._coded.scan(queries, lists, count, allowed)

    def _lists(self, queries: Floats, effort: Effort, allowed: npt.NDArray[np.bool_] | None) -> list[Integers]:
        """The lists to read for each query."""
        if allowed is None and len(queries) < _TOGETHER:
            near = [self._coded.near(query, effort.gap, min(effort.candidates, len(self))) for query in queries]
            if all(lists is not None for lists in near):
                return [lists for lists in near if lists is not None]
        sizes = self._coded.sizes if allowed is None else self._coded.sizes_of(allowed)
        scores = self._coded.coarse(queries, sizes)
        return [near_lists(row, effort.gap, sizes, effort.candidates) for row in scores]
