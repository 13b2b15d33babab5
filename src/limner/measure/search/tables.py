"""What a run of the bench says, as tables of text: for the terminal and, in markdown, for the documents."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from limner.eval.table import aligned, markdown
from limner.measure.search.contender import effort_text
from limner.measure.search.sizes import size_text
from limner.measure.search.trial import GOOD_RECALL, Row, good_row

Table = tuple[str, list[str], list[list[str]]]
"""Title, header, rows."""

Draw = Callable[[Sequence[str], Sequence[Sequence[str]]], str]

_COST = ["bytes/item", "RSS/item", "build CPU s", "open ms"]
_SEARCH = ["index", "effort", "recall@10", "recall@100", "p50 ms", "p99 ms", "CPU ms", "q/s", "q/s, 2 threads", *_COST]
_FILTERS = ["index", "items", "let through", "recall@10", "missing", "p50 ms", "CPU ms"]
_TIMES = ["p50 ms before", "during", "after", "CPU ms before", "after "]
_ADDING = ["index", "items", "added", "seconds until found", *_TIMES]
_GROWTH = ["index", "sizes", "CPU ms", "exponent", "bytes", "exponent "]
_FAILED = ["index", "items", "phase", "reason"]

SECTION = """
## Search

Every index of limner and its installed peers in one run of `limner bench search`, one process each, one query at a time
on one thread. Recall is against exact search, of weighted words with their weights before they are rounded; CPU ms is
the processor time of a query, median; bytes/item is what an index holds to answer (of limner's structures: without the
rows on disk that answers are scored with), RSS/item how the process grew; building may use every core, and its
processor time is told. An effort of limner is the recall asked for.
"""


def text(result: Row) -> str:
    """All of it, for a terminal."""
    return _page(result["rows"], tables(result["rows"], result["rows"]), aligned, "{}\n")


def section(stored: Sequence[Row], pictures: str) -> str:
    """The chapter "Search" of a document: finished results, of limner's smaller sizes only how cost grows.

    `pictures`: where the curves are, as the document names the folder.
    """
    parts = [SECTION.strip()] if stored else []
    for result in stored:
        rows = result["rows"]
        last = largest(rows)
        shown = [row for row in rows if row["n"] == last[row["workload"]] or not row["contender"].startswith("limner")]
        machine = result["machine"]
        where = f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}"
        parts.append(f"`{result['command']}` · {where} · commit {result['commit'] or 'unknown'}")
        parts += [f"![Curves of {name}]({pictures}/{picture_name(name, n)})" for name, n in last.items()]
        parts.append(_page(rows, tables(shown, rows), markdown, "### {}\n"))
    return "\n\n".join(parts) + "\n" if parts else ""


def _page(rows: Sequence[Row], shown: Iterable[Table], draw: Draw, title: str) -> str:
    parts = [f"{title.format(name)}\n{draw(header, cells)}" for name, header, cells in shown if cells]
    return "\n\n".join([*parts, *_peers(rows)])


def largest(rows: Sequence[Row]) -> dict[str, int]:
    """Each workload's largest size."""
    return dict(sorted(workloads(rows)))


def picture_name(workload: str, n: int) -> str:
    return f"search-{workload.replace(' ', '-').replace(',', '')}-{size_text(n)}.png"


def tables(rows: Sequence[Row], every: Sequence[Row]) -> Iterator[Table]:
    """Of `rows`; how cost grows is told by `every` one."""
    for workload, n in workloads(rows):
        mine = [row for row in rows if (row["workload"], row["n"]) == (workload, n)]
        for queries in _different(row["queries"] for row in mine if row["phase"] == "search"):
            yield f"{workload}, {n:,} items, queries: {queries}", _SEARCH, list(_searched(mine, queries))
    yield "filters", _FILTERS, list(_filters(rows))
    yield "adding while searching", _ADDING, list(_added(rows))
    yield f"cost as it grows, at recall@10 of {GOOD_RECALL} or the best there is", _GROWTH, list(_growth(every))
    yield "what failed", _FAILED, list(_failed(rows))


def workloads(rows: Sequence[Row]) -> list[tuple[str, int]]:
    return _different((row["workload"], row["n"]) for row in rows)


def costs(rows: Sequence[Row], contender: str) -> Row:
    """What the rows of one workload say of building and opening a contender."""
    merged: Row = {}
    for row in rows:
        if row["contender"] == contender and row["phase"] in ("build", "open"):
            merged |= row
    return merged


def _searched(rows: Sequence[Row], queries: str) -> Iterator[list[str]]:
    before = ""
    for row in rows:
        if row["phase"] != "search" or row["queries"] != queries:
            continue
        name, cost = row["contender"], costs(rows, row["contender"])
        per_item = [_whole(cost.get(key), row["n"]) for key in ("held_bytes", "rss_growth_bytes")]
        spent = [*per_item, _short(cost.get("cpu_seconds")), _short(cost.get("first_answer_ms"))]
        yield [
            name if name != before else "",
            effort_text(row["effort"]),
            f"{row['recall@10']:.3f}",
            f"{row['recall@100']:.3f}",
            *(_short(row[key]) for key in ("p50_ms", "p99_ms", "cpu_ms", "per_second_1", "per_second_2")),
            *(spent if name != before else [""] * len(spent)),
        ]
        before = name


def _filters(rows: Sequence[Row]) -> Iterator[list[str]]:
    for row in rows:
        if row["phase"] == "filter":
            yield [
                f"{row['contender']} ({row['queries']})",
                f"{row['n']:,}",
                f"{100 * row['selectivity']:g} %",
                f"{row['recall@10']:.3f}",
                str(row["answers_missing"] + row["answers_not_allowed"]),
                _short(row["p50_ms"]),
                _short(row["cpu_ms"]),
            ]


def _added(rows: Sequence[Row]) -> Iterator[list[str]]:
    for row in rows:
        if row["phase"] == "add" and "failed" not in row:
            yield [
                f"{row['contender']} ({row['workload']})",
                f"{row['n']:,}",
                f"{row['items']:,}",
                _short(row["seconds_until_found"]) if row["found"] else "not found",
                *(_short(row[f"p50_ms_{when}"]) for when in ("before", "during", "after")),
                *(_short(row[f"cpu_ms_{when}"]) for when in ("before", "after")),
            ]


def _growth(rows: Sequence[Row]) -> Iterator[list[str]]:
    searched = [row for row in rows if row["phase"] == "search"]
    for name, workload, queries in _different((r["contender"], r["workload"], r["queries"]) for r in searched):
        mine = [r for r in searched if (r["contender"], r["workload"], r["queries"]) == (name, workload, queries)]
        sizes = _different(row["n"] for row in mine)
        if len(sizes) < 2:
            continue
        good = [good_row([row for row in mine if row["n"] == n]) for n in sizes]
        same = [[row for row in rows if (row["workload"], row["n"]) == (workload, n)] for n in sizes]
        held = [costs(ones, name).get("held_bytes", 0) for ones in same]
        times = [row["cpu_ms"] for row in good]
        yield [
            f"{name} ({queries})",
            " ".join(f"{n:,}" for n in sizes),
            " ".join(map(_short, times)),
            _exponent(sizes, times),
            " ".join(f"{bytes / 1e6:.1f}M" for bytes in held),
            _exponent(sizes, held),
        ]


def _exponent(sizes: Sequence[int], values: Sequence[float]) -> str:
    """The slope of the line through the logarithms."""
    if min(values) <= 0:
        return "-"
    return f"{np.polyfit(np.log(sizes), np.log(values), 1)[0]:.2f}"


def _failed(rows: Sequence[Row]) -> Iterator[list[str]]:
    for row in rows:
        if row.get("failed", "not installed") != "not installed":
            yield [f"{row['contender']} ({row['workload']})", f"{row['n']:,}", row["phase"], row["failed"]]


def _peers(rows: Sequence[Row]) -> list[str]:
    """Lines that tell the versions of those that were measured, and who was not there."""
    versions = _different(f"{row['package']} {row['version']}" for row in rows if row["version"])
    absent = _different(row["contender"] for row in rows if row.get("failed") == "not installed")
    told = (("Versions", versions), ("Not installed", absent))
    return [f"{what}: {', '.join(names)}." for what, names in told if names]


def _short(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "-"
    digits = 2 - math.floor(math.log10(abs(value))) if value else 2
    return f"{value:,.{min(3, max(0, digits))}f}"


def _whole(total: float | None, n: int) -> str:
    return "-" if total is None else f"{total / n:,.0f}"


def _different(values: Iterator[Any]) -> list[Any]:
    return list(dict.fromkeys(values))
