"""Parquet tables that hold pictures, or name them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from limner.core.errors import SourceError
from limner.core.types import Item
from limner.data.content import parquet_file
from limner.data.sources.paths import PARQUET_SUFFIXES, shards
from limner.data.sources.rows import (
    PICTURE_COLUMNS,
    Record,
    beside,
    item_from_row,
    items_from_rows,
    picture_column,
    stamp_or_none,
    unreadable_rest,
)

BATCH_ROWS = 1024


class ParquetSource:
    """One table, a folder of tables, or a pattern such as `train-*.parquet`.

    The column `image` (or path, file, img ...) holds the picture's bytes, a struct of `bytes` and
    `path` (as Hugging Face writes it), or a path relative to the table's folder. `caption(s)` or
    `text(s)` are texts, `id` is the id, other scalars are fields.

    A table that is damaged gives what is whole, then one item that cannot be read. Raises
    SourceError: nothing there, no column of pictures, no rows; MissingDependency without pyarrow.
    """

    def __init__(self, place: str | Path) -> None:
        self.paths = shards(place, PARQUET_SUFFIXES)

    def __iter__(self) -> Iterator[Item]:
        empty = True
        naming: list[str] = []
        for path in self.paths:
            try:
                file = parquet_file(path)
                column = _picture_column(path, file)
                if not _holds_bytes(file.schema_arrow.field(column).type):
                    naming.append(path)
                    continue
                for item in _embedded(path, file, column):
                    empty = False
                    yield item
            except (OSError, ValueError):
                yield unreadable_rest(path)
        if naming:
            yield from items_from_rows(naming[0], _records(naming), beside)
        elif empty:
            raise SourceError(f"{self.paths[0]}: no rows that can be read")


def _picture_column(path: str, file: Any) -> str:
    names = file.schema_arrow.names
    column = picture_column(names)
    if column is None:
        wanted = ", ".join(PICTURE_COLUMNS)
        raise SourceError(f"{path}: no column of pictures among {', '.join(names)}; call it one of {wanted}")
    return column


def _holds_bytes(kind: Any) -> bool:
    import pyarrow

    if pyarrow.types.is_struct(kind):
        return bool(kind.get_field_index("bytes") >= 0)
    return bool(pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind))


def _embedded(path: str, file: Any, column: str) -> Iterator[Item]:
    """The rows of a table that holds its pictures; the pictures themselves are not read."""
    import pyarrow

    stamp = stamp_or_none(path)
    kind = file.schema_arrow.field(column).type
    columns = [name for name in file.schema_arrow.names if name != column]
    if pyarrow.types.is_struct(kind) and kind.get_field_index("path") >= 0:
        columns.append(f"{column}.path")
    for number, row in enumerate(_rows(file, columns)):
        cell = f"{column}[{number}]"
        name = (row.pop(column, None) or {}).get("path")
        yield item_from_row(f"{path}::{cell}", row, name=name if isinstance(name, str) else cell, stamp=stamp)


def _rows(file: Any, columns: list[str]) -> Iterator[dict[str, Any]]:
    if not columns:
        yield from ({} for _ in range(file.metadata.num_rows))
        return
    for batch in file.iter_batches(BATCH_ROWS, columns=columns, use_threads=False):
        yield from batch.to_pylist()


def _records(paths: list[str]) -> Iterator[Record]:
    for path in paths:
        file = parquet_file(path)
        for number, row in enumerate(_rows(file, file.schema_arrow.names), start=1):
            yield path, number, row
