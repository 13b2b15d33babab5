"""Write the generated pages: `python docs/generate.py` (or `make docs`). A test checks that they are current."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from limner.cli import app, run

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


PAGES = {"cli.md": command_line_page}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (Path(__file__).parent / name).write_text(write(), encoding="utf-8")
