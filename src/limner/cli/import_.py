"""`limner import`: take vectors made elsewhere by the same model into a collection."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limner.cli.common import CollectionOption, ModelOption, collection_path, shown
from limner.cli.progress import report_text, skipped_text


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A file written by `limner export`.")],
    collection: CollectionOption = None,
    model: ModelOption = None,
) -> None:
    """Add the vectors of a file that `limner export` wrote.

    They must come from the collection's own model; nothing is encoded again.
    """
    from limner.collection import Collection

    with Collection(collection_path(collection), model=model) as photos:
        report = photos.import_vectors(file.expanduser())
    print(f"{shown(str(file))}: {report_text(report)}")
    if report.skipped:
        print(skipped_text(report.skipped))
