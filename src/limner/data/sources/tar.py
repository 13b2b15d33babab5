"""Tar archives of pictures, in the webdataset layout or plain."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from limner.core.errors import PictureError, SourceError
from limner.core.types import Item, Stamp
from limner.data.content import Archive, open_archive
from limner.data.pictures import PICTURE_SUFFIXES
from limner.data.sources.paths import ARCHIVE_SUFFIXES, shards
from limner.data.sources.rows import broken_line, item_from_row, unreadable_rest


class TarSource:
    """Every picture in one archive, a folder of archives, or a pattern such as `shard-{0000..0099}.tar`.

    Members that share their path up to the first dot of the file name describe one thing, as in
    webdataset: `7.jpg` takes its captions from `7.txt` (one a line) or `7.json` (`captions`, other
    scalars are fields) and the field `class` from `7.cls`. Hidden members are passed over.

    An archive that is damaged gives what is whole, then one item that cannot be read, so that the
    rest is not lost without a word. Raises SourceError: nothing there, no picture in any archive.
    """

    def __init__(self, place: str | Path) -> None:
        self.paths = shards(place, ARCHIVE_SUFFIXES)

    def __iter__(self) -> Iterator[Item]:
        empty = True
        for path in self.paths:
            try:
                archive = open_archive(path)
            except OSError:
                yield unreadable_rest(path)
                continue
            for item in _pictures(archive):
                empty = False
                yield item
            if archive.damaged:
                yield unreadable_rest(path)
        if empty:
            raise SourceError(
                f"{self.paths[0]}: no pictures in {'this archive' if len(self.paths) == 1 else 'these archives'}"
            )


def _pictures(archive: Archive) -> Iterator[Item]:
    beside: dict[str, dict[str, str]] = {}
    for member in archive.members:
        key, extension = _key(member)
        if extension in _READERS and not _is_hidden(member):
            beside.setdefault(key, {})[extension] = member
    troubles: dict[str, Item] = {}
    for member, (_, size) in archive.members.items():
        if posixpath.splitext(member)[1].lower() in PICTURE_SUFFIXES and not _is_hidden(member):
            row = _record(archive, beside.get(_key(member)[0], {}), troubles)
            stamp = Stamp(size, archive.stamp.modified_ns)
            yield item_from_row(f"{archive.path}::{member}", row, name=member.removeprefix("./"), stamp=stamp)
    yield from troubles.values()


def _is_hidden(member: str) -> bool:
    return any(part.startswith(".") and part not in (".", "..") for part in member.split("/"))


def _key(member: str) -> tuple[str, str]:
    """(path up to the first dot of the file name, the rest of the name)"""
    folder, base = posixpath.split(member)
    stem, _, extension = base.partition(".")
    return posixpath.join(folder, stem), extension.lower()


def _record(archive: Archive, members: Mapping[str, str], troubles: dict[str, Item]) -> dict[str, Any]:
    """What the members beside a picture say of it; one that cannot be read goes to `troubles`."""
    row: dict[str, Any] = {}
    for extension, member in sorted(members.items()):
        uri = f"{archive.path}::{member}"
        try:
            row |= _READERS[extension](archive.read(member, uri))
        except (ValueError, RecursionError) as error:
            troubles[uri] = broken_line(uri, getattr(error, "lineno", 1))
        except (PictureError, OSError):
            troubles[uri] = Item(uri)
    return row


def _read_json(content: bytes) -> dict[str, Any]:
    record = json.loads(content)
    return record if isinstance(record, dict) else {}


def _read_captions(content: bytes) -> dict[str, Any]:
    return {"captions": content.decode("utf-8-sig", "replace").splitlines()}


def _read_class(content: bytes) -> dict[str, Any]:
    name = content.decode("utf-8", "replace").strip()
    return {"class": int(name) if re.fullmatch("[0-9]{1,18}", name) else name}


_READERS: dict[str, Callable[[bytes], dict[str, Any]]] = {
    "cls": _read_class,
    "json": _read_json,
    "txt": _read_captions,
}
