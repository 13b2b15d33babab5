"""`limner index`: put pictures into a collection, or go on where the last run was interrupted."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.common import CollectionOption, ModelOption, collection_path, shown_uri
from limner.cli.progress import progress_line, report_text, skipped_text

if TYPE_CHECKING:
    from limner.collection import Collection


def index(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Folders, .tar archives, tables (.csv, .jsonl, .parquet). None: finish interrupted runs.",
        ),
    ] = None,
    collection: CollectionOption = None,
    model: ModelOption = None,
    vectors: Annotated[
        str | None,
        typer.Option(
            "--vectors",
            metavar="URL",
            help="Server that keeps the vectors of a new collection: http://HOST:19530 (Milvus), "
            "postgresql://HOST/DATABASE, FILE.db (Milvus Lite) [default: files].",
        ),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray", metavar="ADDRESS", help="Let a Ray cluster read and encode; `local` starts one on this machine."
        ),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Forget items whose files have vanished.")] = False,
) -> None:
    """Put pictures into the collection.

    Only what is new or has changed is read. Interrupted at any moment, nothing that was committed is
    lost; the same command goes on from there. Files that cannot be used are listed with the reason
    and left out.
    """
    from limner.collection import Collection
    from limner.data.sources import open_source

    for path in paths or ():
        open_source(path)  # a wrong path must not leave an empty collection behind
    with Collection(collection_path(collection), model=model, vectors=vectors, create=bool(paths)) as photos:
        try:
            for path in paths or _interrupted(photos):
                _index_one(photos, path, prune, ray)
            if prune and not paths:
                print(f"{photos.prune():,} pruned")
        except KeyboardInterrupt:
            print(
                "limner: stopped. What was indexed so far is kept; the same command, or plain `limner index`, goes on.",
                file=sys.stderr,
            )
            raise typer.Exit(130) from None


def _index_one(photos: Collection, path: str, prune: bool, ray: str | None) -> None:
    with progress_line() as show:
        report = photos.add(path, prune=prune, ray=ray, progress=show)
    print(f"{shown_uri(path)}: {report_text(report)}")
    if report.skipped:
        print(skipped_text(report.skipped))
    if report.vanished and not prune:
        print("  vanished files stay known, marked as such, until: limner index --prune")


def _interrupted(photos: Collection) -> list[str]:
    """The sources whose indexing was begun and not finished."""
    sources = [job.source for job in photos.status().jobs if job.kind == "index" and job.source]
    if not sources:
        print("no interrupted run to finish; to index pictures: limner index FOLDER")
    return sources
