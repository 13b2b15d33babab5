"""Write the generated pages: `python docs/generate.py` (or `make docs`). A test checks that they are current."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import inspect
import io
import os
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from limner.cli import app, run

BENCH = Path(__file__).parents[1] / "bench"

HEAD = """\
<!-- Written by docs/generate.py from the command's own help: do not edit. -->
# The command line

Every verb works on one collection: the folder given with `-c`, else `$LIMNER_COLLECTION`, else `default.limner` among
the user's data (`$LIMNER_HOME` moves that place). An error is one line on standard error that begins with `limner:`.

| exit code | meaning |
|---|---|
| 0 | done; a search that finds nothing is done, too |
| 1 | it could not be done: no collection, a damaged one, another process is writing, a package is missing |
| 2 | what was given cannot be used: an option, a path, a query, a filter, a file |
| 130 | stopped by Ctrl-C; what was indexed so far is kept |
"""


def verbs(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The path of every command, groups before what is inside them."""
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from verbs(inner, (*path, name))


def help_page(path: tuple[str, ...]) -> str:
    """What `limner ... --help` prints on a terminal 80 columns wide."""
    width, os.environ["COLUMNS"] = os.environ.get("COLUMNS"), "80"
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        run([*path, "--help"])
    if width is None:
        del os.environ["COLUMNS"]
    else:
        os.environ["COLUMNS"] = width
    return printed.getvalue().rstrip()


def command_line_page() -> str:
    pages = [HEAD]
    for path in verbs(typer.main.get_command(app)):
        pages.append(f"## {' '.join(('limner', *path))}\n\n```text\n{help_page(path)}\n```\n")
    return "\n".join(pages)


LOSSES = """\
<!-- Written by docs/generate.py from the objectives' own docstrings: do not edit. -->
# Which loss for which data

Each objective is one file of `limner.objectives`. What it reads is in its docstring under "Needs"; a batch that lacks
it gets an error that says so.
"""


def losses_page() -> str:
    """Every objective: its file, its settings, and what its page says of itself."""
    import limner.objectives

    parts = [LOSSES]
    for found in sorted(pkgutil.iter_modules(limner.objectives.__path__), key=lambda module: module.name):
        module = importlib.import_module(f"limner.objectives.{found.name}")
        names = [
            name
            for name, kind in vars(module).items()
            if inspect.isclass(kind) and kind.__module__ == module.__name__ and _is_objective(kind)
        ]
        if names:
            parts.append(
                f"## {', '.join(names)}\n\n`objectives/{found.name}.py`\n\n```text\n{inspect.getdoc(module)}\n```\n"
            )
    return "\n".join(parts)


def _is_objective(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) and {"head", "__call__"} <= vars(kind).keys() and hasattr(kind, "weight")


def results_page() -> str:
    from limner.train import results

    return results.page(results.read(BENCH / "expected.yaml"), results.stored_searches(BENCH / "results"))


def draw_curves() -> None:
    """The pictures of the chapter "Search"."""
    from limner.measure.search.curves import draw
    from limner.train.results import stored_searches

    for result in stored_searches(BENCH / "results"):
        draw(result, Path(__file__).parent / "images")


PAGES = {"cli.md": command_line_page, "losses.md": losses_page, "results.md": results_page}

if __name__ == "__main__":
    draw_curves()
    for name, write in PAGES.items():
        (Path(__file__).parent / name).write_text(write(), encoding="utf-8")
