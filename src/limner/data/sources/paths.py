"""The files that a source is made of: one file, or the shards that a pattern or a folder means."""

from __future__ import annotations

import glob
import os
import re
from pathlib import Path

from limner.core.errors import SourceError

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
PARQUET_SUFFIXES = (".parquet",)
_BRACES = re.compile(r"\{([^{}]+)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")


def existing_file(path: str | Path) -> str:
    """The absolute path of a file that is there. Raises SourceError."""
    found = os.path.abspath(os.path.expanduser(path))
    if not os.path.isfile(found):
        raise SourceError(f"{found}: no such file")
    try:
        found.encode()
    except UnicodeEncodeError:
        shown = os.fsencode(found).decode("utf-8", "backslashreplace")
        raise SourceError(f"{shown}: the name is not text (UTF-8); rename the file") from None
    return found


def shards(place: str | Path, suffixes: tuple[str, ...]) -> list[str]:
    """The files that `place` means: a file, a folder of them, or a pattern with * ? [ ] {000..012} {a,b}.

    Sorted and without repetition. Raises SourceError if there is none, or if a file that a pattern
    names outright is not there.
    """
    path = os.path.abspath(os.path.expanduser(place))
    if os.path.isfile(path):
        return [existing_file(path)]
    if os.path.isdir(path):
        names = [name for name in os.listdir(path) if name.lower().endswith(suffixes) and not name.startswith(".")]
        found = [existing_file(os.path.join(path, name)) for name in names]
    else:
        expanded = _expand(path)
        found = [file for one in expanded for file in (glob.glob(one) if glob.has_magic(one) else [existing_file(one)])]
    if not found:
        raise SourceError(f"{path}: no {' or '.join(suffixes)} files here")
    return sorted(set(found))


def is_pattern(path: str | Path) -> bool:
    return not os.path.exists(path) and (glob.has_magic(str(path)) or _BRACES.search(str(path)) is not None)


def _expand(pattern: str) -> list[str]:
    braces = _BRACES.search(pattern)
    if braces is None:
        return [pattern]
    before, after = pattern[: braces.start()], pattern[braces.end() :]
    if span := _RANGE.fullmatch(braces[1]):
        first, last = int(span[1]), int(span[2])
        choices = [str(number).zfill(len(span[1])) for number in range(first, last + 1)]
    else:
        choices = braces[1].split(",")
    return [one for choice in choices for one in _expand(before + choice + after)]
