"""A folder with `images.tar` and `captions.jsonl`: the layout in which limner keeps data sets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from limner.core.types import Item
from limner.data.sources.jsonl import read_records
from limner.data.sources.paths import existing_file
from limner.data.sources.rows import items_from_rows

ARCHIVE, TABLE = "images.tar", "captions.jsonl"


class CaptionsSource:
    """The pictures that `captions.jsonl` names, out of `images.tar` beside it.

    A line: {"image": member of the archive, "captions": [...], "split": "train", ...}; `boxes` are
    regions, other scalars fields. Raises SourceError: a file is missing, no line names a picture.
    """

    def __init__(self, folder: str | Path) -> None:
        self.archive = existing_file(os.path.join(folder, ARCHIVE))
        self.table = existing_file(os.path.join(folder, TABLE))

    def __iter__(self) -> Iterator[Item]:
        return items_from_rows(self.table, read_records(self.table), lambda _, name: f"{self.archive}::{name}")
