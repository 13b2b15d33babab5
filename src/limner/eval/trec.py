"""Runs and qrels as TREC text files, so that trec_eval, ir-measures and ranx read ours and we read theirs.

    run:    query Q0 item rank score tag        qrels:    query 0 item grade

The columns are split at white space, so white space, control characters and `%` inside an id are written as
in a URL ("my%20photo.jpg") and read back. The order of a run follows its scores; the rank column is written
for people and not read. trec_eval breaks ties by the item's id, downwards; `Run` does it upwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote

from limner.core.errors import InputError
from limner.core.types import Qrels, Run

_Number = TypeVar("_Number", int, float)
_UNSAFE = re.compile(r"[\s%\x00-\x1f\x7f\udc80-\udcff]")
"""White space, control characters, and the escapes of bytes that are no UTF-8 (file names may hold them)."""


def write_run(run: Run, path: str | Path, tag: str = "limner") -> None:
    """`tag` names the system. Raises InputError for an empty id."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for query, ranking in run.rankings.items():
            for rank, (item, score) in enumerate(ranking, 1):
                file.write(f"{_escape(query)} Q0 {_escape(item)} {rank} {float(score)!r} {_escape(tag)}\n")


def write_qrels(qrels: Qrels, path: str | Path) -> None:
    """Raises InputError for an empty id."""
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for query, grades in qrels.grades.items():
            for item, grade in grades.items():
                file.write(f"{_escape(query)} 0 {_escape(item)} {grade}\n")


def read_run(path: str | Path) -> Run:
    """Raises InputError that names the line: wrong columns, a score that is no number, an item twice."""
    scores: dict[str, dict[str, float]] = {}
    for place, (query, _, item, _, score, _) in _lines(path, "query Q0 item rank score tag"):
        try:
            value = float(score)
        except ValueError:
            value = math.nan
        if math.isnan(value):
            raise InputError(f"{place}: the score {score!r} is not a number")
        _put(scores, query, item, value, place)
    return Run(scores)


def read_qrels(path: str | Path) -> Qrels:
    """Raises InputError that names the line: wrong columns, a grade that is no integer, an item twice."""
    grades: dict[str, dict[str, int]] = {}
    for place, (query, _, item, grade) in _lines(path, "query 0 item grade"):
        try:
            value = int(grade)
        except ValueError:
            raise InputError(f"{place}: the grade {grade!r} is not an integer") from None
        _put(grades, query, item, value, place)
    return Qrels(grades)


def _lines(path: str | Path, columns: str) -> Iterator[tuple[str, list[str]]]:
    """("path: line 3", its columns) of each line that is not blank."""
    expected = len(columns.split())
    try:
        with open(path, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                cells = line.split()
                if cells and len(cells) != expected:
                    raise InputError(f"{path}: line {number} has {len(cells)} columns, not {expected} ({columns})")
                if cells:
                    yield f"{path}: line {number}", cells
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text, so it is no TREC file") from None


def _put(table: dict[str, dict[str, _Number]], query: str, item: str, value: _Number, place: str) -> None:
    items = table.setdefault(_unescape(query), {})
    name = _unescape(item)
    if name in items:
        raise InputError(f"{place}: the item {name!r} stands twice under the query {_unescape(query)!r}")
    items[name] = value


def _escape(name: str) -> str:
    if not name:
        raise InputError("an empty id cannot be written to a TREC file: give each query and item a name")
    return _UNSAFE.sub(
        lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode(errors="surrogateescape")), name
    )


def _unescape(name: str) -> str:
    return unquote(name, errors="surrogateescape")
