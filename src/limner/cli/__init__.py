"""The command `limner`: one verb a file, errors as one line.

A verb imports what it needs inside its function, so that `limner --help` starts at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from limner import __version__
from limner.cli import (
    bench,
    demo,
    evaluate,
    export,
    illustrate,
    import_,
    index,
    model,
    recipe,
    reindex,
    remove,
    reproduce,
    search,
    status,
    train,
)
from limner.cli.common import shown
from limner.core.errors import LimnerError, QueryError

app = typer.Typer(
    name="limner",
    help="Find pictures with words.",
    epilog="Start with: limner index ~/photos, then: limner search 'a dog on a beach'",
    rich_markup_mode=None,  # plain help pages: quick, and the same on every terminal
    pretty_exceptions_enable=False,
)
app.command()(index.index)
app.command()(search.search)
app.command()(illustrate.illustrate)
app.command()(status.status)
app.command()(remove.remove)
app.command()(export.export)
app.command("import")(import_.import_)
app.command()(reindex.reindex)
app.command()(evaluate.evaluate)
app.command()(demo.demo)
app.add_typer(model.app, name="model")
app.command()(train.train)
app.command()(reproduce.reproduce)
app.add_typer(recipe.app, name="recipe")
app.add_typer(bench.app, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"limner {__version__}")
        raise typer.Exit


@app.callback()
def _limner(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and leave.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (None: that of the process) and return its exit code.

    The one place where errors become text: what a person can mend is a line on standard error
    beginning with "limner:"; anything else is a bug and keeps its traceback.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(arguments or ["--help"], prog_name="limner", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except LimnerError as error:
        _complain(str(error), caret=isinstance(error, QueryError))
        return error.exit_code
    except typer.TyperException as error:  # a wrong option or argument
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "limner"
        _complain(f"{error.format_message()} (see: {command} --help)")
        return error.exit_code
    except (typer.Abort, KeyboardInterrupt):
        _complain("stopped")
        return 130
    except BrokenPipeError:  # the reader of a pipe has left, as `head` does: nothing to tell anyone
        _forget_output()
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        _complain(f"{error.filename}: {error.strerror}; mend that and run the command again")
        return 1


def _complain(message: str, *, caret: bool = False) -> None:
    """One line, whatever is in a name; `caret`: the three lines of a QueryError."""
    lines = message.split("\n") if caret else [message]
    print("limner: " + "\n".join(map(shown, lines)), file=sys.stderr)


def _forget_output() -> None:
    """Point standard output at nothing, so that the interpreter's last flush does not fail aloud."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """Entry point of the command `limner`."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name that the terminal cannot show must not end the program
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run())
