"""Two systems on the same queries: is the difference more than chance?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from limner.core.errors import InputError
from limner.eval.intervals import Sample, difference, interval, p_value, swap
from limner.eval.report import Report
from limner.eval.table import aligned, markdown, number, span


@dataclass(frozen=True, slots=True)
class Difference:
    """second - first, with the paired bootstrap interval and the p-value of the randomisation test."""

    name: str
    first: float
    second: float
    difference: float
    low: float
    high: float
    p_value: float
    share: bool

    @property
    def verdict(self) -> str:
        """Names no winner while the interval holds zero. Of ranks, the lower is the better."""
        if self.low <= 0 <= self.high:
            return "no difference seen"
        return "second higher" if self.difference > 0 else "second lower"


@dataclass(frozen=True, slots=True)
class Comparison:
    title: str
    rows: tuple[Difference, ...]
    method: str

    def __getitem__(self, name: str) -> Difference:
        for row in self.rows:
            if row.name == name:
                return row
        raise InputError(f"the comparison has no {name!r}; it has: " + ", ".join(row.name for row in self.rows))

    def text(self) -> str:
        return f"{self.title}\n\n{aligned(*self._cells())}\n\n{self.method}"

    def markdown(self) -> str:
        return f"**{self.title}**\n\n{markdown(*self._cells())}\n\n{self.method}"

    def _cells(self) -> tuple[list[str], list[list[str]]]:
        header = ["metric", "first", "second", "second - first", "interval", "p", "verdict"]
        rows = [
            [
                row.name,
                number(row.first, row.share),
                number(row.second, row.share),
                f"{100 * row.difference if row.share else row.difference:+.1f}",
                span(row.low, row.high, row.share),
                f"{row.p_value:.3f}",
                row.verdict,
            ]
            for row in self.rows
        ]
        return header, rows


def compare(first: Report, second: Report) -> Comparison:
    """Pair two reports query by query: draws, seed, level and clusters are those of the first.

    The same draw of clusters is used for both, so what is hard in it is hard for both. The p-values are not
    corrected for the number of rows. Raises InputError where the reports don't have the same metrics over the
    same queries.
    """
    _check_paired(first, second)
    second = replace(second, recalls=first.recalls, draws=first.draws, seed=first.seed)
    drawn = difference(first.estimates, second.estimates)
    swapped = first.with_rsum(swap(first.samples, second.samples, draws=first.draws, seed=first.seed))
    rows = []
    for one, other, draws, chance in zip(first.rows, second.rows, drawn, swapped, strict=True):
        gap = float(difference(one.value, other.value))
        low, high = interval(draws, first.level)
        p = p_value(gap, chance)
        rows.append(Difference(one.name, one.value, other.value, gap, low, high, p, one.share))
    method = (
        f"{first.level:.0%} interval of the difference: paired bootstrap over {first.resampled}; p: two-sided "
        f"randomisation test, not corrected for several rows; {first.draws:,} draws each, seed {first.seed}."
    )
    return Comparison(f"first: {_label(first)}\nsecond: {_label(second)}", tuple(rows), method)


def _label(report: Report) -> str:
    return f"{report.facts['model']}, {report.title}" if "model" in report.facts else report.title


def _check_paired(first: Report, second: Report) -> None:
    if [sample.name for sample in first.samples] != [sample.name for sample in second.samples]:
        raise InputError("the reports hold different metrics, so they cannot be compared row by row")
    for one, other in zip(first.samples, second.samples, strict=True):
        if not _same_queries(one, other):
            raise InputError(f"{one.name}: the two reports do not answer the same queries, so they cannot be paired")


def _same_queries(one: Sample, other: Sample) -> bool:
    return list(one.queries) == list(other.queries) and np.array_equal(one.clusters, other.clusters)
