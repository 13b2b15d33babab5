"""Where items come from: a folder, a table, an archive."""

from __future__ import annotations

import os
from pathlib import Path

from limner.core.errors import SourceError
from limner.core.protocols import Source
from limner.data.pictures import PICTURE_SUFFIXES
from limner.data.sources.captions import ARCHIVE, TABLE, CaptionsSource
from limner.data.sources.csv import CsvSource
from limner.data.sources.folder import FolderSource
from limner.data.sources.jsonl import JsonlSource
from limner.data.sources.parquet import ParquetSource
from limner.data.sources.paths import ARCHIVE_SUFFIXES, PARQUET_SUFFIXES, is_pattern
from limner.data.sources.tar import TarSource

__all__ = ["CaptionsSource", "CsvSource", "FolderSource", "JsonlSource", "ParquetSource", "TarSource", "open_source"]

_BY_SUFFIX: tuple[tuple[tuple[str, ...], type[TarSource | ParquetSource | CsvSource | JsonlSource]], ...] = (
    (ARCHIVE_SUFFIXES, TarSource),
    (PARQUET_SUFFIXES, ParquetSource),
    ((".csv", ".tsv"), CsvSource),
    ((".jsonl", ".ndjson"), JsonlSource),
)


def open_source(path: str | Path) -> Source:
    """The source that fits what is at `path`.

    A file by its suffix: .csv .tsv .jsonl .ndjson .parquet .tar .tar.gz .tgz; tar and parquet also as
    a pattern of shards (`shard-{000..099}.tar`). A folder with `images.tar` and `captions.jsonl` is
    a CaptionsSource; one that holds tar or parquet files, and neither pictures nor folders, is its
    shards; every other one is searched for pictures.

    Raises SourceError for a path that is not there or of no known kind.
    """
    place = os.path.expanduser(path)
    if os.path.isdir(place):
        return _open_folder(place)
    if not os.path.isfile(place) and not is_pattern(place):
        raise SourceError(f"{place}: no such folder or file")
    for suffixes, source in _BY_SUFFIX:
        if place.lower().endswith(suffixes):
            return source(place)
    if place.lower().endswith(tuple(PICTURE_SUFFIXES)):
        raise SourceError(f"{place}: one picture is no source; give the folder that holds it")
    known = " ".join(suffix for suffixes, _ in _BY_SUFFIX for suffix in suffixes)
    raise SourceError(f"{place}: not a known kind of source; give a folder, or a file with one of {known}")


def _open_folder(folder: str) -> Source:
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise SourceError(f"{folder}: cannot be opened ({error.strerror})") from None
    names = {entry.name.lower() for entry in visible}
    if {ARCHIVE, TABLE} <= names:
        return CaptionsSource(folder)
    if not any(entry.is_dir() or entry.name.lower().endswith(tuple(PICTURE_SUFFIXES)) for entry in visible):
        if any(name.endswith(ARCHIVE_SUFFIXES) for name in names):
            return TarSource(folder)
        if any(name.endswith(PARQUET_SUFFIXES) for name in names):
            return ParquetSource(folder)
    return FolderSource(folder)
