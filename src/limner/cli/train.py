"""`limner train`: train a recipe's method, on its own data or on one's own pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DataOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="PATH",
        help="The folder with the data sets that a recipe names (flickr8k/ ...), or your own pairs: pairs.jsonl, a "
        "CSV, a folder with side-car texts.",
    ),
]
ScaleOption = Annotated[
    str, typer.Option("--scale", metavar="NAME", help="debug (seconds), tiny (minutes) or full (a GPU).")
]
RunsOption = Annotated[Path, typer.Option("--runs", metavar="FOLDER", help="Where runs and caches are kept.")]


def train(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A name of limner recipe list, or a .py file.")],
    data: DataOption = None,
    scale: ScaleOption = "tiny",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="FIELD=VALUE", help="Change a field: optimiser.steps=800. Can be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N")] = 0,
    runs: RunsOption = Path("runs"),
) -> None:
    """Train a recipe's method and measure it.

    A run that was stopped goes on; one that is finished is only told again.
    """
    from limner.cli.training import checked_scale, place_for, run_line
    from limner.train.catalogue import find_recipe
    from limner.train.runs import measured
    from limner.train.settings import changed

    experiment = changed(find_recipe(recipe, checked_scale(scale)).method, changes or [])
    with run_line() as report:
        place, experiment = place_for(experiment, data, runs, report)
        run = measured(experiment, seed, place)
    for name, one in run.outcome.items():
        print(f"{name:<50} {one.mean:.4f}")
    print(f"\nThe run is in {run.folder}")
