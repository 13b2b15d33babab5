"""The recipes at hand, found by name: those of `limner.recipes`, those of installed packages, a file of one's own.

Another package offers recipes through the entry point group "limner.recipes" (name -> module).
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from limner.core.errors import InputError
from limner.train.experiment import Scale
from limner.train.recipe import Recipe

PACKAGE = "limner.recipes"


def recipe_names() -> list[str]:
    own = [module.name for module in pkgutil.iter_modules(importlib.import_module(PACKAGE).__path__)]
    return sorted(own + [point.name for point in entry_points(group=PACKAGE)])


def recipe_module(name: str) -> ModuleType:
    """By name ("lightclip") or by the path of a file that ends in .py. Raises InputError."""
    if name.endswith(".py"):
        return _from_file(Path(name))
    name = name.replace("-", "_")
    names = recipe_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, 1)
        raise InputError(
            f"no recipe {name!r}" + (f"; did you mean {near[0]}?" if near else "; see: limner recipe list")
        )
    for point in entry_points(group=PACKAGE):
        if point.name == name:
            return importlib.import_module(point.value)
    return importlib.import_module(f"{PACKAGE}.{name}")


def find_recipe(name: str, scale: Scale) -> Recipe:
    """Raises InputError where there is none of that name, or the module holds no recipe."""
    module = recipe_module(name)
    if not hasattr(module, "recipe"):
        raise InputError(f"{name}: holds no function recipe(scale); see docs/adding-a-method.md")
    recipe: Recipe = module.recipe(scale)
    return recipe


def title(module: ModuleType) -> str:
    """The first line of what it says of itself."""
    return (module.__doc__ or module.__name__).strip().split("\n")[0].rstrip(".")


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise InputError(f"{path}: no such recipe file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
