"""Partition: the near rows of a large set of vectors, found by reading a small part of their codes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers
from limner.index.coded import CodedLists
from limner.index.effort import EffortTable


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
        wanted = min(effort.candidates, eligible)
        lengths: Floats = np.linalg.norm(queries, axis=1).astype(np.float32) * np.float32(self._longest)
        found = []
        for query, length in zip(self._coded.quantised(self._coded.turned(queries)), lengths, strict=True):
            rows, _ = self._coded.scan(query, self._coded.list_scores(query), effort.gap, wanted, allowed)
            rows.sort()
            scores = self._coded.rescored(query, rows) * length
            order = np.argsort(-scores, kind="stable")[: effort.shortlist]
            found.append((rows[order], scores[order]))
        return found
