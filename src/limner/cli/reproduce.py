"""`limner reproduce`: train a method and its baseline with several seeds, and judge what the recipe claims."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from limner.cli.train import DataOption, RunsOption, ScaleOption


def reproduce(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A name of limner recipe list, or a .py file.")],
    data: DataOption = None,
    scale: ScaleOption = "tiny",
    runs: RunsOption = Path("runs"),
    table: Annotated[
        Path | None,
        typer.Option(
            "--table",
            metavar="FILE",
            help="Where the row goes [default: bench/expected.yaml of the checkout, whose docs/results.md is "
            "written anew; nowhere for an installed package or another scale than tiny].",
        ),
    ] = None,
) -> None:
    """Train a recipe's arms with every seed and judge its claims on paired differences.

    Arms that were trained before, for this recipe or another, are not trained again.
    """
    from limner.cli.training import checked_scale, run_line
    from limner.train import results
    from limner.train.catalogue import find_recipe
    from limner.train.reproduce import reproduce as run
    from limner.train.reproduce import row
    from limner.train.runs import Place

    found = find_recipe(recipe, checked_scale(scale))
    with run_line() as report:
        done = run(found, Place(runs.expanduser(), data and data.expanduser(), report))
    for one in done.judged:
        print(
            f"{one.verdict:<12} {one.claim.says}: {one.claim.metric}, {one.claim.arm} {one.arm:.4f}, "
            f"{one.claim.than} {one.than:.4f}, difference {one.difference:+.4f} ({one.low:+.4f} to {one.high:+.4f})"
        )
    if table is None and scale == "tiny":
        table = results.checkout_table()
    if table:
        results.record(table, Path(recipe).stem, row(f"limner reproduce {recipe}", found, done))
    print(f"({done.minutes:.1f} min of training and measuring in all)")
