"""`limner remove`: take items out of a collection; the files themselves are never touched."""

from __future__ import annotations

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
    """Ids of the items that fit the filter and are, or came from, one of the targets (none given: all that fit).

    Raises InputError for a target that no such item belongs to.
    """
    if not targets:
        return [item.id for item in photos.items(where)]
    chosen: dict[str, None] = {}
    for target in targets:
        met = [item.id for item in photos.items(where, under=target)] or _named(photos, target, where)
        if not met:
            fitting = " that fits --where" if where else ""
            raise InputError(f"{shown(target)}: no item with this id or path{fitting} in the collection")
        chosen.update(dict.fromkeys(met))
    return list(chosen)


def _named(photos: Collection, id: str, where: str | None) -> list[str]:
    """The id, if there is such an item and it fits the filter."""
    from limner.core.query import And, Compare
    from limner.search.filter import parse_filter

    named = Compare("id", "=", id)
    return [item.id for item in photos.items(And((parse_filter(where), named)) if where else named)]
