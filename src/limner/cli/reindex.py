"""`limner reindex`: change the model of a collection."""

from __future__ import annotations

from typing import Annotated

import typer

from limner.cli.common import CollectionOption, open_collection
from limner.cli.progress import progress_line, report_text, skipped_text


def reindex(
    model: Annotated[
        str, typer.Option("--model", metavar="NAME|FOLDER", help="The new model: a bundled one or a bundle's folder.")
    ],
    collection: CollectionOption = None,
) -> None:
    """Encode every item again with another model.

    The new vectors grow beside the old ones, which answer until the switch at the end;
    interrupted, the same command goes on.
    """
    with open_collection(collection) as photos:
        with progress_line() as show:
            report = photos.reindex(model, progress=show)
        print(f"{photos.status().model_name}: {report_text(report)}")
    if report.skipped:
        print(skipped_text(report.skipped))
