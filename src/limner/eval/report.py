"""What was measured, as a person reads it: the metrics of one system with their intervals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Qrels, Run
from limner.eval.intervals import Sample, bootstrap, interval
from limner.eval.metrics import NDCG, AveragePrecision, MedianRank, RankMetric, Recall, ReciprocalRank, judge, rsum
from limner.eval.metrics.base import Doubles
from limner.eval.table import aligned, markdown, number, span

RSUM = "rsum (the six recalls in per cent added up, 0 to 600)"
DEFAULT_METRICS: tuple[RankMetric, ...] = (
    Recall(1),
    Recall(5),
    Recall(10),
    MedianRank(),
    ReciprocalRank(),
    AveragePrecision(),
    NDCG(10),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One number with its interval."""

    name: str
    value: float
    low: float
    high: float
    queries: int
    """How many queries it sums up."""
    share: bool
    """0 to 1, shown as per cent; else (a rank, rsum) shown as it is."""


@dataclass(frozen=True, eq=False)
class Report:
    """A measurement. The title states data, split and pool; the rows follow from the samples."""

    title: str
    samples: tuple[Sample, ...]
    facts: Mapping[str, str | int | float] = field(default_factory=dict)
    """What a reader must know to repeat it: model, fingerprint, counts, seconds."""
    notes: tuple[str, ...] = ()
    """What was left out or differs from the usual protocol."""
    recalls: tuple[int, ...] = ()
    """Which six samples rsum adds up; none: no rsum."""
    resampled: str = "queries"
    """What the clusters of the samples are, in words."""
    draws: int = 1000
    level: float = 0.95
    seed: int = 0

    @cached_property
    def estimates(self) -> Doubles:
        """The value of each row in each bootstrap draw: (rows, draws)."""
        return self.with_rsum(bootstrap(self.samples, draws=self.draws, seed=self.seed))

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        values = self.with_rsum(np.array([[sample.value] for sample in self.samples]))[:, 0]
        rows = [
            Row(sample.name, float(value), *interval(drawn, self.level), len(sample.values), sample.statistic == "mean")
            for sample, value, drawn in zip(self.samples, values, self.estimates, strict=False)
        ]
        if self.recalls:
            queries = len(self.samples[self.recalls[0]].values) + len(self.samples[self.recalls[-1]].values)
            rows.append(Row(RSUM, float(values[-1]), *interval(self.estimates[-1], self.level), queries, share=False))
        return tuple(rows)

    def with_rsum(self, values: Doubles) -> Doubles:
        """(samples, n) -> (rows, n): rsum is the same sum of a value, a draw or a difference."""
        return np.vstack([values, rsum(values[list(self.recalls)])]) if self.recalls else values

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise InputError(f"the report has no {name!r}; it has: " + ", ".join(row.name for row in self.rows))

    def text(self) -> str:
        """An aligned table in plain text."""
        return "\n".join([self.title, *self._facts(), "", aligned(*self._cells()), "", self._method(), *self.notes])

    def markdown(self) -> str:
        facts = "".join(f"- {line}\n" for line in self._facts())
        notes = "".join(f"\n\n{line}" for line in (self._method(), *self.notes))
        return f"**{self.title}**\n\n{facts}\n{markdown(*self._cells())}{notes}"

    def json(self) -> str:
        """Shares stay 0 to 1; an infinite rank (nothing found) is null."""
        rows = [
            {
                "metric": row.name,
                "value": _finite(row.value),
                "low": _finite(row.low),
                "high": _finite(row.high),
                "queries": row.queries,
                "unit": "share" if row.share else "",
            }
            for row in self.rows
        ]
        how = {"level": self.level, "draws": self.draws, "seed": self.seed, "over": self.resampled}
        whole = {"title": self.title, "facts": dict(self.facts), "notes": self.notes, "interval": how, "rows": rows}
        return json.dumps(whole, ensure_ascii=False, indent=2, allow_nan=False)

    def _facts(self) -> list[str]:
        return [f"{name}: {value}" for name, value in self.facts.items()]

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        header = ["metric", "value", f"{self.level:.0%} interval".replace("%", " %"), "queries"]
        rows = [
            [row.name, number(row.value, row.share), span(row.low, row.high, row.share), f"{row.queries:,}"]
            for row in self.rows
        ]
        return header, rows

    def _method(self) -> str:
        return f"Intervals: percentile bootstrap over {self.resampled}, {self.draws:,} draws, seed {self.seed}."


def evaluate_run(
    run: Run,
    qrels: Qrels,
    *,
    title: str,
    metrics: Sequence[RankMetric] = DEFAULT_METRICS,
    clusters: Mapping[str, str] | None = None,
    resampled: str = "queries",
    facts: Mapping[str, str | int | float] | None = None,
) -> Report:
    """Report on a run. `clusters`: query -> what it hangs together with (captions of one picture, say).

    A judged query that the run lacks counts as answered by nothing. Raises InputError where no query has
    a relevant item.
    """
    queries, judged = judge(run, qrels)
    names = [clusters.get(query, query) for query in queries] if clusters else queries
    numbers = np.unique(np.array(names, dtype=object), return_inverse=True)[1].astype(np.int64)
    if not queries:
        raise InputError(f"{title}: no query has a relevant item in the qrels")
    samples = tuple(
        Sample(metric.name, metric.values(judged), queries, numbers, metric.statistic) for metric in metrics
    )
    missing = sum(query not in run.rankings for query in queries)
    notes = (f"{missing:,} judged queries have no answer in the run and count as not found.",) if missing else ()
    return Report(title, samples, facts or {}, notes, resampled=resampled)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
