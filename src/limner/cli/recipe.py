"""`limner recipe`: the methods at hand, what each is made of, and a start for one's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from limner.cli.common import JsonOption, as_json

app = typer.Typer(help="List the methods, read one, or start your own.", rich_markup_mode=None)

NEW = '''"""{title}: say in one line what it does.

Say how it works and which part of the paper this is.
"""

from __future__ import annotations

from limner.objectives.contrast import Contrast
from limner.objectives.targets import Groups
from limner.train.batches import Augment, Sampling
from limner.train.corpora.flickr8k import Flickr8k
from limner.train.evaluations.retrieval import Retrieval
from limner.train.experiment import Experiment, Scale
from limner.train.optimiser import Optimiser
from limner.train.recipe import Claim, Recipe


def recipe(scale: Scale = "tiny") -> Recipe:
    baseline = Experiment(
        "infonce",
        Flickr8k(),
        sampling=Sampling(augment=Augment(least=0.5), size=5),
        optimiser=Optimiser(steps=4 if scale == "debug" else 200),
        evaluations=(Retrieval(),),
    )
    method = baseline.replace(name="{name}", objectives=(Contrast(targets=Groups(smoothing=0.1)),))
    return Recipe(
        card=0,
        kind="objective",
        paper="Title, venue, arXiv number",
        arms={{"method": method, "baseline": baseline}},
        claims=(Claim("what it must show", "text-to-image recall@10"),),
    )
'''


@app.command("list")
def list_recipes(json: JsonOption = False) -> None:
    """List the methods: card, kind, the files of their parts, and what was measured."""
    from limner.train import results
    from limner.train.catalogue import find_recipe, recipe_module, recipe_names, title

    table = results.checkout_table()
    rows = results.read(table) if table else {}
    told = []
    for name in recipe_names():
        module = recipe_module(name)
        if not hasattr(module, "recipe"):
            continue
        recipe = find_recipe(name, "tiny")
        told.append(
            {
                "name": name,
                "card": recipe.card,
                "kind": recipe.kind,
                "title": title(module),
                "files": [_short(file) for file in recipe.own_components()],
                "measured": _measured(rows.get(name)),
            }
        )
    if json:
        print(as_json(told))
        return
    for one in sorted(told, key=lambda one: one["card"]):
        print(f"{one['card']:03d}  {one['name']:<20} {one['kind']:<11} {one['title']}")
        if one["files"]:
            print(f"     {'':<20} {'':<11} {', '.join(one['files'])}")
        print(f"     {'':<20} {'':<11} {one['measured']}")


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="RECIPE", help="A name of limner recipe list, or a .py file.")],
) -> None:
    """Print what a method is, its arms and claims, and the files behind it."""
    from limner.train import results
    from limner.train.catalogue import find_recipe, recipe_module

    module, recipe = recipe_module(name), find_recipe(name, "tiny")
    print((module.__doc__ or "").strip())
    print(f"\ncard {recipe.card:03d}, {recipe.kind}: {recipe.paper}\n")
    for arm, experiment in recipe.arms.items():
        print(f"{arm:<12} {experiment.name} ({experiment.fingerprint})")
    print("\nmust show")
    for claim in recipe.claims:
        print(f"  {claim.says}: {claim.metric}, {claim.arm} against {claim.than}")
    if recipe.notes:
        print(f"\n{recipe.notes}")
    print(f"\nrecipe     {_short(Path(str(module.__file__)))}")
    own = recipe.own_components()
    for file in recipe.components():
        print(f"{'its own' if file in own else 'shared':<10} {_short(file)}")
    table = results.checkout_table()
    print(f"\nmeasured   {_measured((results.read(table) if table else {}).get(name))}")


@app.command("new")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the file to write: NAME.py in the current folder.")],
) -> None:
    """Write a file to start a method of your own from; train it with limner train ./NAME.py."""
    from limner.core.errors import InputError

    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise InputError(f"{name!r}: use small letters, digits and _ for the name of a recipe")
    path = Path(f"{name}.py")
    if path.exists():
        raise InputError(f"{path}: is there already; choose another name")
    path.write_text(NEW.format(title=name.replace("_", " ").capitalize(), name=name), encoding="utf-8")
    print(f"{path}: describe the method there, then: limner train ./{path} --scale debug --data DATA")


def _measured(row: dict | None) -> str:
    if row is None:
        return "not measured yet"
    claim = row["claims"][0]
    low, high = claim["interval"]
    return (
        f"{row['status']}: {claim['metric']} {claim['values'][0]:.4g} against {claim['values'][1]:.4g}, "
        f"{claim['difference']:+.4f} ({low:+.4f} to {high:+.4f})"
    )


def _short(path: Path) -> str:
    """Relative to the package."""
    package = Path(__file__).parents[2]
    return str(path.relative_to(package)) if path.is_relative_to(package) else str(path)
