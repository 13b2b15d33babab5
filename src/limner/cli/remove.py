"""`limner remove`: take items out of a collection; the files themselves are never touched."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.common import CollectionOption, WhereOption, open_collection, shown
from limner.core.errors import InputError

if TYPE_CHECKING:
    from limner.collection import Collection


def remove(
    targets: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH|ID", help="Files, folders, archives, ids (limner search --json shows them)."),
    ] = None,
    where: WhereOption = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    collection: CollectionOption = None,
) -> None:
    """Take items out of the collection; the files stay.

    With both paths and --where, only items that fit both. A file that is still there comes back when
    its folder is indexed again.
    """
    if not targets and where is None:
        raise InputError("nothing named to remove: give a path, an id or --where FILTER")
    with open_collection(collection) as photos:
        ids = _chosen(photos, targets or [], where)
        if ids and not yes:
            if not sys.stdin.isatty():
                raise InputError(f"{len(ids):,} items would be removed: add --yes to do it without being asked")
            typer.confirm(f"Remove {len(ids):,} items from the collection (their files stay)?", abort=True)
        print(f"{photos.remove(ids) if ids else 0:,} removed")


def _chosen(photos: Collection, targets: list[str], where: str | None) -> list[str]:
    """Ids of the items that fit the filter and are, or lie under, one of the targets (none given: all that fit).

    Raises InputError for a target that no such item belongs to.
    """
    unmet = {target: os.path.abspath(os.path.expanduser(target)) for target in targets}
    places = dict(unmet)
    chosen = []
    for item in photos.items(where):
        met = [target for target, path in places.items() if item.id == target or _lies_at(item.uri, path)]
        if met or not targets:
            chosen.append(item.id)
        for target in met:
            unmet.pop(target, None)
    if unmet:
        fitting = " that fits --where" if where else ""
        raise InputError(f"{shown(next(iter(unmet)))}: no item with this id or path{fitting} in the collection")
    return chosen


def _lies_at(uri: str, path: str) -> bool:
    """Whether a uri names this file, or something in this folder, archive or table."""
    from limner.collection.sources import spellings

    return any(uri == place or uri.startswith((place + os.sep, place + "::")) for place in spellings(path))
