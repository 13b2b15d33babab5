"""A CSV or TSV table with a header, one of whose columns names the pictures."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from limner.core.errors import SourceError
from limner.core.types import FieldValue, Item
from limner.data.sources.paths import existing_file
from limner.data.sources.rows import PICTURE_COLUMNS, TEXT_COLUMNS, Record, beside, items_from_rows, picture_column

_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][+-]?[0-9]{1,3})?")
"""What is kept as a number. Not 007: a code, whose zeros matter."""


class CsvSource:
    """A table in UTF-8 with a header. The delimiter is the one of , ; tab | that the header has most.

    Columns: `image` (or path, file, filename ...) relative to the table's folder; `caption(s)` or
    `text(s)`; `id`; the rest are fields, numbers where all cells of the column are numbers. Rows of
    one picture become one item. A line with more or fewer cells than the header is a broken line.
    Raises SourceError: no such file, not UTF-8, no column of pictures.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = existing_file(path)

    def __iter__(self) -> Iterator[Item]:
        numeric = self._numeric_columns()
        return items_from_rows(self.path, self._records(numeric), beside)

    def _records(self, numeric: set[str]) -> Iterator[Record]:
        for line, cells in self._rows():
            if cells is None:
                yield self.path, line, None
                continue
            row: dict[str, FieldValue] = {}
            for name, cell in cells.items():
                if name and cell:
                    row[name] = _number(cell) if name in numeric else cell
            yield self.path, line, row

    def _numeric_columns(self) -> set[str]:
        """Columns whose cells are all numbers: a type must not change from row to row."""
        numeric: set[str] | None = None
        for _, cells in self._rows():
            if cells is None:
                continue
            if numeric is None:
                numeric = {name for name in cells if name.casefold() not in TEXT_COLUMNS}
            numeric = {name for name in numeric if not cells[name] or _NUMBER.fullmatch(cells[name])}
        return numeric or set()

    def _rows(self) -> Iterator[tuple[int, dict[str, str] | None]]:
        """Line numbers with cells by column; None for a line that does not fit the header."""
        try:
            with open(self.path, encoding="utf-8-sig", newline="") as file:
                header_line = file.readline()
                file.seek(0)
                delimiter = max(",;\t|", key=header_line.count)
                reader = csv.reader(file, delimiter=delimiter, strict=True)
                header = [name.strip() for name in next(reader, [])]
                if picture_column(header) is None:
                    raise SourceError(
                        f"{self.path}: no column of pictures among {', '.join(header) or 'no columns at all'};"
                        f" call it one of {', '.join(PICTURE_COLUMNS)}"
                    )
                yield from _aligned(reader, header)
        except UnicodeDecodeError as error:
            raise SourceError(f"{self.path}: not UTF-8 text ({error.reason}); save the table as UTF-8") from None
        except OSError as error:
            raise SourceError(f"{self.path}: {error.strerror}") from None
        except csv.Error as error:
            raise SourceError(f"{self.path}: the header does not parse ({error})") from None


def _aligned(reader: Any, header: list[str]) -> Iterator[tuple[int, dict[str, str] | None]]:
    while True:
        line = reader.line_num + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error:  # a quote that is not closed, say; the reader goes on with the next line
            yield line, None
            continue
        if not any(cells):
            continue
        fits = len(cells) >= len(header) and not any(cells[len(header) :])
        yield line, dict(zip(header, cells, strict=False)) if fits else None


def _number(cell: str) -> int | float:
    return int(cell) if cell.lstrip("-").isdigit() else float(cell)
