"""The table of results: one row a recipe in bench/expected.yaml, and the page that is made from it and the benches."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock

from limner.core.errors import InputError
from limner.measure.search.tables import section

HEAD = """\
<!-- Written from bench/expected.yaml by `limner reproduce`: do not edit. -->
# Results

Each row is one published method against its baseline, at a size that two processor cores train in minutes: small
towers, the procedural world or Flickr8k, {seeds} seeds. So the numbers say whether a method's idea shows at this scale,
not what the paper's model reaches. "difference" is oriented so that more is what the claim says; its 95 % interval
resamples seeds and questions in pairs. A claim *holds* when the interval and every single seed lie above the margin;
it is *contradicted* when they all lie below; else the difference was *not seen*. The first claim is the headline:
without it, a method "does not hold here". What did not hold stands here too, and where the order of the claims, a
margin or a setting was changed after figures had been seen, the notes say so.
"""


def read(path: Path) -> dict[str, Any]:
    """Recipe name -> its row; empty where there is no table yet. Raises InputError for a file that is no table."""
    if not path.exists():
        return {}
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise InputError(f"{path}: is not readable as YAML ({str(error).splitlines()[0]})") from error
    if not isinstance(rows, dict):
        raise InputError(f"{path}: is no table of results")
    return rows


def checkout_table() -> Path | None:
    """bench/expected.yaml of the source checkout that this package runs from; None where it is installed alone."""
    bench = Path(__file__).parents[3] / "bench"
    return bench / "expected.yaml" if bench.is_dir() else None


def record(path: Path, name: str, row: Mapping[str, Any]) -> None:
    """Put a row into the table, and write the page of a checkout's table."""
    rows = write(path, name, row)
    docs = path.parent.parent / "docs"
    if path == checkout_table() and docs.is_dir():
        (docs / "results.md").write_text(page(rows, stored_searches(path.parent / "results")), encoding="utf-8")


def write(path: Path, name: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Put one row into the table; returns the whole, by name. Reproductions that end together wait for one another."""
    with FileLock(path.with_suffix(".lock")):
        rows = dict(sorted((read(path) | {name: dict(row)}).items()))
        partial = path.with_suffix(".partial")
        partial.write_text(yaml.safe_dump(rows, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8")
        os.replace(partial, path)
    return rows


def stored_searches(folder: Path) -> list[dict[str, Any]]:
    """The finished results of `limner bench search` there."""
    every = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("search-*.json"))]
    return [result for result in every if result["finished"]]


def page(rows: Mapping[str, Any], searches: Sequence[dict[str, Any]] = ()) -> str:
    """docs/results.md: the methods, then what `limner bench search` measured."""
    seeds = max((len(row["seeds"]) for row in rows.values()), default=3)
    lines = [HEAD.format(seeds=seeds), "| method | card | status | what it must show |", "|---|---|---|---|"]
    for name, row in rows.items():
        anchor, says = name.replace("_", "-"), row["claims"][0]["says"]
        lines.append(f"| [{anchor}](#{anchor}) | {row['card']:03d} | {row['status']} | {says} |")
    for name, row in rows.items():
        lines += [
            "",
            f"## {name.replace('_', '-')}",
            "",
            f"`{row['command']}` · seeds {', '.join(map(str, row['seeds']))}",
        ]
        if facts := ", ".join(f"{key} {row[key]}" for key in ("minutes", "commit") if key in row):
            lines[-1] += f" · {facts}"
        lines += ["", "| claim | metric | values | difference (interval) | verdict |", "|---|---|---|---|---|"]
        for claim in row["claims"]:
            arm, than = claim["values"]
            low, high = claim["interval"]
            margin = f", margin {claim['margin']:g}" if claim["margin"] else ""
            lines.append(
                f"| {claim['says']} | {claim['metric']} | {claim['arm']} {arm:.4g}, {claim['than']} {than:.4g} "
                f"| {claim['difference']:+.4f} ({low:+.4f} to {high:+.4f}){margin} | {claim['verdict']} |"
            )
        if "notes" in row:
            lines += ["", row["notes"]]
    if searches:
        lines += ["", section(searches, "images").rstrip()]
    return "\n".join(lines) + "\n"
