"""`limner export`: the vectors of a collection as a standard file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limner.cli.common import CollectionOption, open_collection, shown


def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A name that ends in .npy or .parquet.")],
    collection: CollectionOption = None,
) -> None:
    """Write the vectors to a .npy or .parquet file."""
    with open_collection(collection) as photos:
        count = photos.export_vectors(file.expanduser())
    print(f"{count:,} vectors written to {shown(str(file))}")
