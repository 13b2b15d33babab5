"""The measurements of one contender, each in a process of its own: build; open and search; add while searching."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.types import Integers, Representation
from limner.measure.machine import peak_bytes, resident_bytes
from limner.measure.search.contender import Contender, Effort, Mask
from limner.measure.search.workload import FILTERED_QUERIES, SELECTIVITIES, Opened

Row = dict[str, Any]
"""What one measurement found, by name; plain values only."""

LEAST_QUERIES = 20
GOOD_RECALL = 0.95
"""Filters, additions and growth are measured at the least effort that reaches this, else at the most there is."""


@dataclass(frozen=True)
class Trial:
    """One contender on one workload. `folder` is where the index lies; `seconds`: for one pass over the queries."""

    contender: Contender
    workload: Opened
    folder: Path
    seconds: float

    def build(self) -> Iterator[Row]:
        self.folder.mkdir(parents=True)
        items = self.workload.items
        wall, processor = time.perf_counter(), time.process_time()
        self.contender.build(items, self.folder)
        yield {
            "phase": "build",
            "seconds": time.perf_counter() - wall,
            "cpu_seconds": time.process_time() - processor,
            "peak_bytes": peak_bytes(),
            "disk_bytes": sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()),
        }

    def search(self) -> Iterator[Row]:
        items, first = self.workload.items, self.workload.query_sets[0]
        query = _single(self.workload.queries(first))[0]
        before, start = resident_bytes(), time.perf_counter()
        self.contender.open(items, self.folder)
        self.contender.search(query, 10, self.contender.efforts[0])
        row: Row = {
            "phase": "open",
            "first_answer_ms": 1e3 * (time.perf_counter() - start),
            "held_bytes": self.contender.held_bytes(self.folder),
        }
        rows = [row for name in self.workload.query_sets for row in self._efforts(name)]
        after = resident_bytes()
        row["rss_growth_bytes"] = None if before is None or after is None else after - before
        yield row
        yield from rows
        if self.contender.filters:
            for name in self.workload.query_sets:
                yield from self._filters(name, good_effort(row for row in rows if row["queries"] == name))

    def add(self) -> Iterator[Row]:
        """Further items are added by one thread while another asks."""
        self.contender.open(self.workload.items, self.folder)
        later, effort = self.workload.later, self.contender.efforts[0]
        queries = _single(self.workload.queries(self.workload.query_sets[0]))
        before = self._timed(queries, 10, effort)
        added = threading.Event()
        taken = list[float]()

        def add() -> None:
            start = time.perf_counter()
            self.contender.add(later)
            taken.append(time.perf_counter() - start)
            added.set()

        during = list[float]()
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(add)
            while not (added.is_set() or running.done()):
                during += self._timed(queries[: LEAST_QUERIES // 4], 10, effort).wall.tolist()
            running.result()
        newest = self.contender.search(later.take(slice(0, 1)), 10, effort)
        after = self._timed(queries, 10, effort)
        yield {
            "phase": "add",
            "items": len(later),
            "seconds_until_found": taken[0],
            "found": bool(self.workload.n in newest),
            "p50_ms_before": 1e3 * float(np.median(before.wall)),
            "p50_ms_during": 1e3 * float(np.median(during)),
            "p50_ms_after": 1e3 * float(np.median(after.wall)),
            "cpu_ms_before": 1e3 * float(np.median(before.processor)),
            "cpu_ms_after": 1e3 * float(np.median(after.processor)),
        }

    def _efforts(self, name: str) -> Iterator[Row]:
        queries, truth = _single(self.workload.queries(name)), self.workload.truth(name)
        for effort in self.contender.efforts:
            self._timed(queries[:LEAST_QUERIES], 10, effort)  # pages and caches are warm from here on
            ten, hundred = self._timed(queries, 10, effort), self._timed(queries, 100, effort)
            yield {
                "phase": "search",
                "queries": name,
                "effort": dict(effort),
                "asked": len(ten.found),
                "recall@10": recall(ten.found, truth, 10),
                "recall@100": recall(hundred.found, truth, 100),
                "p50_ms": 1e3 * float(np.median(ten.wall)),
                "p99_ms": 1e3 * float(np.quantile(ten.wall, 0.99)),
                "cpu_ms": 1e3 * float(np.median(ten.processor)),
                "per_second_1": len(ten.wall) / float(ten.wall.sum()),
                "per_second_2": self._two_threads(queries[: len(ten.found)], effort),
            }

    def _filters(self, name: str, effort: Effort) -> Iterator[Row]:
        queries = _single(self.workload.queries(name).take(slice(0, FILTERED_QUERIES)))
        for selectivity in SELECTIVITIES:
            allowed, truth = self.workload.allowed(selectivity), self.workload.truth(name, selectivity)
            self._timed(queries[:2], 10, effort, allowed)
            got = self._timed(queries, 10, effort, allowed)
            there = (truth[: len(got.found), :10] >= 0).sum(axis=1)
            yield {
                "phase": "filter",
                "queries": name,
                "effort": dict(effort),
                "selectivity": selectivity,
                "recall@10": recall(got.found, truth, 10),
                "answers_missing": int(sum(there) - sum(map(len, got.found))),
                "answers_not_allowed": sum(int((~allowed[rows]).sum()) for rows in got.found),
                "p50_ms": 1e3 * float(np.median(got.wall)),
                "cpu_ms": 1e3 * float(np.median(got.processor)),
            }

    def _timed(self, queries: Sequence[Representation], k: int, effort: Effort, allowed: Mask | None = None) -> _Timed:
        """One query after the other, until all are answered or the time is over."""
        found, wall, processor = list[Integers](), list[float](), list[float]()
        end = time.perf_counter() + self.seconds
        for query in queries:
            started, used = time.perf_counter(), time.process_time()
            found.append(self.contender.search(query, k, effort, allowed))
            processor.append(time.process_time() - used)
            wall.append(time.perf_counter() - started)
            if time.perf_counter() > end and len(found) >= LEAST_QUERIES:
                break
        return _Timed(found, np.array(wall), np.array(processor))

    def _two_threads(self, queries: Sequence[Representation], effort: Effort) -> float:
        """Queries a second where two threads ask at the same time."""
        start = time.perf_counter()
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda query: self.contender.search(query, 10, effort), queries))
        return len(queries) / (time.perf_counter() - start)


@dataclass(frozen=True)
class _Timed:
    found: list[Integers]
    wall: npt.NDArray[np.float64]
    """Seconds of each query, by the clock,"""
    processor: npt.NDArray[np.float64]
    """and of all processors together."""


def recall(found: Sequence[Integers], truth: Integers, k: int) -> float:
    """Mean over the queries of the share of the true k best (fewer, where there are fewer) that were found."""
    shares = []
    for rows, right in zip(found, truth[: len(found), :k], strict=True):
        there = right[right >= 0]
        shares.append(float(np.isin(there, rows[:k]).mean()) if len(there) else 1.0)
    return float(np.mean(shares))


def good_effort(rows: Iterator[Row] | Sequence[Row]) -> Effort:
    effort: Effort = good_row(rows)["effort"]
    return effort


def good_row(rows: Iterator[Row] | Sequence[Row]) -> Row:
    """Of rows of phase "search", the first with GOOD_RECALL, else the one with the highest recall."""
    every = list(rows)
    good = [row for row in every if row["recall@10"] >= GOOD_RECALL]
    return min(good, key=lambda row: row["cpu_ms"]) if good else max(every, key=lambda row: row["recall@10"])


def _single(queries: Representation) -> list[Representation]:
    return [queries.take(slice(row, row + 1)) for row in range(len(queries))]
