"""A folder of pictures, with the folders in it."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from limner.core.errors import SourceError
from limner.core.types import Item
from limner.data.content import path_uri, stamp_from
from limner.data.pictures import PICTURE_SUFFIXES
from limner.data.sources.rows import broken_line, item_from_row

SIDECAR_BYTES = 2**20
"""A longer file is something else that happens to have the name of a side-car."""


class FolderSource:
    """Every picture file under `root`: a folder's files by name, then the folders in it by name.

    A picture is what has a picture's suffix; hidden files and folders are passed over. Linked
    folders are followed, but no folder is entered twice, and its own place comes before a link to it.

    A picture takes captions and fields from side-cars: `dog.txt` (a caption a line), `dog.json`
    (`captions` or `texts`, `id`, `boxes`; other scalars are fields), also as `dog.jpg.txt` and
    `dog.jpg.json`. Fields of all: `folder` (below root, with /) and `name`.

    A folder or side-car that cannot be read is an item that cannot be read, so that it is counted.
    Raises SourceError for a missing folder, and at the end of a walk that met no picture.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = os.path.abspath(os.path.expanduser(root))
        if not os.path.isdir(self.root):
            raise SourceError(f"{self.root}: no such folder")

    def __iter__(self) -> Iterator[Item]:
        empty = True
        entered: set[tuple[int, int]] = set()
        folders, links = [self.root], list[str]()
        while folders or links:
            if not folders:
                links.sort(reverse=True)
                folders.append(links.pop())
            folder = folders.pop()
            try:
                status = os.stat(folder)
                if (status.st_dev, status.st_ino) in entered:
                    continue
                entered.add((status.st_dev, status.st_ino))
                with os.scandir(folder) as entries:
                    visible = sorted((e for e in entries if not e.name.startswith(".")), key=lambda entry: entry.name)
            except OSError:
                yield Item(path_uri(folder))
                continue
            folders += [entry.path for entry in reversed(visible) if entry.is_dir(follow_symlinks=False)]
            links += [entry.path for entry in visible if entry.is_symlink() and os.path.isdir(entry.path)]
            for item in self._pictures(visible):
                empty = False
                yield item
        if empty:
            suffixes = ", ".join(sorted(PICTURE_SUFFIXES))
            raise SourceError(f"{self.root}: no pictures in this folder or below it (looked for {suffixes})")

    def _pictures(self, entries: list[os.DirEntry[str]]) -> Iterator[Item]:
        paths = {entry.name: entry.path for entry in entries}
        troubles: dict[str, Item] = {}
        for entry in entries:
            if os.path.splitext(entry.name)[1].lower() not in PICTURE_SUFFIXES:
                continue
            try:
                status = entry.stat()
            except OSError:
                stamp = None  # a dangling link, say: reading it tells
            else:
                if not stat.S_ISREG(status.st_mode):
                    continue  # a folder or a pipe with such a name
                stamp = stamp_from(status)
            row: dict[str, Any] = {}
            for name in (os.path.splitext(entry.name)[0], entry.name):
                for path in (paths.get(name + ".json"), paths.get(name + ".txt")):
                    if path is not None:
                        _read_sidecar(path, row, troubles)
            shown = os.path.relpath(entry.path, self.root).replace(os.sep, "/")
            yield item_from_row(path_uri(entry.path), row, name=shown, stamp=stamp)
        yield from troubles.values()


def _read_sidecar(path: str, row: dict[str, Any], troubles: dict[str, Item]) -> None:
    """Add what a side-car says to `row`; one that cannot be read goes to `troubles`."""
    try:
        if os.path.getsize(path) > SIDECAR_BYTES:
            return
        content = Path(path).read_bytes()
    except OSError:
        troubles[path] = Item(path_uri(path))
        return
    if path.lower().endswith(".txt"):
        row["captions"] = content.decode("utf-8-sig", "replace").splitlines()
        return
    try:
        record = json.loads(content)
    except (ValueError, RecursionError) as error:
        troubles[path] = broken_line(path, getattr(error, "lineno", 1))
        return
    if isinstance(record, dict):
        row |= record
