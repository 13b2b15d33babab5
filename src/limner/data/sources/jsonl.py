"""A file with one JSON record a line, each of which names its picture."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from limner.core.errors import SourceError
from limner.core.types import Item
from limner.data.sources.paths import existing_file
from limner.data.sources.rows import Record, beside, items_from_rows


class JsonlSource:
    """Records with the keys `image` (or path, file, filename ...) relative to the file's folder; `caption(s)`
    or `text(s)`, one or a list; `id`; `boxes` or `regions`; other scalars are fields.

    Records of one picture become one item. Raises SourceError: no such file, no line that names a picture.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = existing_file(path)

    def __iter__(self) -> Iterator[Item]:
        return items_from_rows(self.path, read_records(self.path), beside)


def read_records(path: str) -> Iterator[Record]:
    """The records of a file; None for a line that is no JSON record. Empty lines are passed over."""
    try:
        with open(path, "rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    record = json.loads(line.decode("utf-8-sig"))
                except (ValueError, RecursionError):
                    record = None
                yield path, number, record if isinstance(record, dict) else None
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}") from None
