"""`limner reindex`: change the model of a collection."""

from __future__ import annotations

from typing import Annotated

import typer

from limner.cli.common import CollectionOption, open_collection, shown_uri
from limner.cli.progress import progress_line, report_text, skipped_text


def reindex(
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="NAME|FOLDER", help="The new model. Without it: the collection's own."),
    ] = None,
    collection: CollectionOption = None,
) -> None:
    """Change the model, or make damaged vectors again.

    The vectors of another model grow beside the old ones, which answer until the change-over at the end;
    interrupted, the same command goes on. Without --model only damaged and missing vectors are made.
    """
    with open_collection(collection) as photos:
        with progress_line() as show:
            report = photos.reindex(model, progress=show)
        print(f"{shown_uri(photos.status().model_name)}: {report_text(report)}")
    if report.skipped:
        print(skipped_text(report.skipped))
