"""Recall against time and memory against time, as pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from limner.core.errors import MissingDependency
from limner.measure.search.tables import costs, largest, picture_name
from limner.measure.search.trial import GOOD_RECALL, Row, good_row

_OWN = "black"


def draw(result: Row, folder: Path) -> list[Path]:
    """One picture for each workload at its largest size. Raises MissingDependency where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependency("matplotlib", "drawing the curves", "train") from error
    drawn = []
    for name, n in largest(result["rows"]).items():
        rows = [row for row in result["rows"] if row["workload"] == name]
        searched = [row for row in rows if row["phase"] == "search"]
        if not searched:
            continue
        queries = searched[0]["queries"]
        points = _by_contender([row for row in searched if row["queries"] == queries])
        colours = _colours([contender for contender, _ in points])
        figure = Figure(figsize=(11, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        _recall_and_time(left, points, n, colours)
        _memory_and_time(right, points, n, colours, rows)
        figure.suptitle(f"{name}, {n:,} items, queries: {queries}")
        figure.legend(*left.get_legend_handles_labels(), loc="outside right center", fontsize=7)
        path = folder / picture_name(name, n)
        figure.savefig(path, dpi=90)
        drawn.append(path)
    return drawn


Points = Mapping[tuple[str, int], list[Row]]
"""Rows of phase "search" by contender and number of items."""


def _recall_and_time(axes: Any, points: Points, n: int, colours: Mapping[str, Any]) -> None:
    for (name, size), rows in points.items():
        if colours[name] == _OWN and size != n:
            continue
        ordered = sorted(rows, key=lambda row: row["recall@10"])
        found, times = [row["recall@10"] for row in ordered], [row["cpu_ms"] for row in ordered]
        width = 2.4 if colours[name] == _OWN else 1
        axes.plot(found, times, "o-", markersize=3, linewidth=width, color=colours[name], label=_label(name, size, n))
    axes.set(xlabel="recall@10", ylabel="CPU ms a query, median", yscale="log")
    axes.grid(alpha=0.3)


def _memory_and_time(axes: Any, points: Points, n: int, colours: Mapping[str, Any], rows: Sequence[Row]) -> None:
    """A point a contender, at the cheapest effort that reaches GOOD_RECALL, else a cross at the best; limner at all
    its sizes."""
    for (name, size), searched in points.items():
        held = costs([row for row in rows if row["n"] == size], name).get("held_bytes")
        if not held:
            continue
        best = good_row(searched)
        marker = "o" if best["recall@10"] >= GOOD_RECALL else "x"
        axes.scatter(held / size, best["cpu_ms"], marker=marker, color=colours[name])
        axes.annotate(_label(name, size, n), (held / size, best["cpu_ms"]), fontsize=6)
    axes.set(xlabel="bytes an item", ylabel=f"CPU ms a query at recall@10 of {GOOD_RECALL}", xscale="log", yscale="log")
    axes.grid(alpha=0.3)


def _label(name: str, size: int, n: int) -> str:
    return name if size == n else f"{name} ({size:,})"


def _colours(names: Sequence[str]) -> dict[str, Any]:
    from matplotlib import colormaps

    others = iter(colormaps["tab20"].colors)  # type: ignore[attr-defined,unused-ignore]
    return {name: _OWN if name.startswith("limner") else next(others, "grey") for name in dict.fromkeys(names)}


def _by_contender(rows: Sequence[Row]) -> dict[tuple[str, int], list[Row]]:
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["contender"], row["n"]), []).append(row)
    return groups
