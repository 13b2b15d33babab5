"""What can be added, as a source of items and the place that it stands for."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from limner.core.errors import InputError
from limner.core.protocols import Source
from limner.core.types import Item
from limner.data.content import path_uri


def as_source(source: str | Path | Source | Iterable[Item]) -> tuple[Source, str]:
    """A source, and the folder, archive or table that it stands for; "" for one without a place, and for items.

    Raises SourceError for a path that is no source, InputError for what are no items or share a uri.
    """
    if isinstance(source, str | Path):
        from limner.data.sources import open_source

        return open_source(source), absolute(source)
    if isinstance(source, Iterator | Collection):
        return _loose(source), ""
    return source, ""


def absolute(path: str | Path) -> str:
    return os.path.abspath(os.path.expanduser(path))


def spellings(place: str) -> tuple[str, str]:
    """How the uris of what lies at a place may begin: the latter where a name below it is not text."""
    return place, f"file://{quote(os.fsencode(place))}"


def _loose(items: Iterable[object]) -> list[Item]:
    placed = []
    for item in items:
        if not isinstance(item, Item):
            raise InputError(f"{item!r:.60} is no Item: add a path, a source, or Items such as Item('/photos/a.jpg')")
        # A relative path would mean another file wherever the collection is opened next.
        placed.append(item if "://" in item.uri else item.replace(uri=_absolute_uri(item.uri)))
    if len({item.uri for item in placed}) < len(placed):
        raise InputError("two of the items to add have the same uri: give each once")
    return placed


def _absolute_uri(uri: str) -> str:
    path, mark, inside = uri.partition("::")
    return f"{absolute(path)}::{inside}" if mark else path_uri(absolute(path))
