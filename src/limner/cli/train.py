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
    arm: Annotated[
        str, typer.Option("--arm", metavar="NAME", help="A variant that limner recipe show names, such as baseline.")
    ] = "method",
    bundle: Annotated[
        Path | None,
        typer.Option("--bundle", metavar="FOLDER", help="Make a model of it there, for --model; needs your own pairs."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N")] = 0,
    runs: RunsOption = Path("runs"),
) -> None:
    """Train a recipe's method and measure it.

    A run that was stopped goes on; one that is finished is only told again.
    """
    from limner.cli.training import checked_scale, place_for, run_line
    from limner.core.errors import InputError
    from limner.train.catalogue import find_recipe
    from limner.train.runs import measured
    from limner.train.settings import changed

    experiment = find_recipe(recipe, checked_scale(scale)).arm(arm)
    with run_line() as report:
        place, experiment = place_for(experiment, data, runs, report)
        if bundle and (data is None or place.data is not None):
            raise InputError("--bundle needs pairs of your own as --data; for a recipe's data: limner model export")
        if bundle and bundle.exists():
            raise InputError(f"--bundle {bundle}: is there already; choose another folder")
        run = measured(changed(experiment, changes or []), seed, place)
    for name, one in run.outcome.items():
        print(f"{name:<50} {one.mean:.4f}")
    print(f"\nThe run is in {run.folder}")
    if bundle and data:
        from limner.train.bundling import export_run

        print(f"The model is in {export_run(run.folder, bundle.expanduser(), data.expanduser()).path}")
