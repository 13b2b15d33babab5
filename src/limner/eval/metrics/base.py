"""What every rank metric reads: where the relevant items of a query stand in its answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Qrels, Run

Doubles: TypeAlias = npt.NDArray[np.float64]
Statistic: TypeAlias = Literal["mean", "median"]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The relevant items of n queries, r places for each query (fewer are used where fewer are relevant)."""

    ranks: Doubles
    """(n, r): place of each relevant item, 1 is best; inf where it was not found and in unused places."""
    grades: Doubles
    """(n, r): its relevance, > 0; 0 marks an unused place."""

    def __len__(self) -> int:
        return len(self.ranks)


def judge(run: Run, qrels: Qrels) -> tuple[list[str], Judged]:
    """Look up the relevant items of each query: (the queries, their `Judged`).

    The queries are those of `qrels` with a relevant item, in its order. One that `run` lacks counts as
    answered by nothing (as `trec_eval -c` does), so that leaving out hard queries cannot raise a mean.
    Queries of `run` without a relevant item have no defined recall and are left out.
    """
    relevant = {query: {item: qrels.grades[query][item] for item in qrels.relevant(query)} for query in qrels.grades}
    queries = [query for query, grades in relevant.items() if grades]
    width = max((len(relevant[query]) for query in queries), default=0)
    ranks, grades = np.full((len(queries), width), np.inf), np.zeros((len(queries), width))
    for row, query in enumerate(queries):
        wanted = relevant[query]
        grades[row, : len(wanted)] = list(wanted.values())
        places = {item: place for place, (item, _) in enumerate(run.rankings.get(query, ()), 1) if item in wanted}
        ranks[row, : len(wanted)] = [places.get(item, np.inf) for item in wanted]
    return queries, Judged(ranks, grades)


class RankMetric(ABC):
    """A `Metric` that is a function of `Judged`, whether that came from a Run or from a matrix."""

    statistic: ClassVar[Statistic] = "mean"
    """How the values of many queries become one number."""

    @property
    @abstractmethod
    def name(self) -> str: ...

    @abstractmethod
    def values(self, judged: Judged) -> Doubles:
        """One value a query, (n,)."""

    def __call__(self, run: Run, qrels: Qrels) -> Mapping[str, float]:
        queries, judged = judge(run, qrels)
        return dict(zip(queries, self.values(judged).tolist(), strict=True))


@dataclass(frozen=True)
class CutMetric(RankMetric):
    """A metric of the first k answers. Raises InputError if k < 1."""

    k: int
    symbol: ClassVar[str]

    def __post_init__(self) -> None:
        if self.k < 1:
            raise InputError(f"{self.symbol}@{self.k}: the cut-off must be 1 or more")

    @property
    def name(self) -> str:
        return f"{self.symbol}@{self.k}"
