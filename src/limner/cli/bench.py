"""`limner bench`: measure limner on the machine at hand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Measure limner on this machine.", rich_markup_mode=None)


@app.callback()
def _bench() -> None:
    pass


@app.command("search")
def search(
    size: Annotated[
        str, typer.Option("--size", metavar="N", help="Items of the largest collection: 20k, 1M, 10M.")
    ] = "1M",
    kind: Annotated[
        Literal["dense", "lexical", "tokens", "all"], typer.Option("--kind", help="Which indexes.")
    ] = "all",
    peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="Measure the peers that are installed, too.")
    ] = True,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="PATH", help="Captioned pictures for a real collection, as for limner evaluate."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="For results and curves [default: bench/results, else .]."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Every collection follows from it.")] = 0,
) -> None:
    """Measure every index and its installed peers, side by side.

    Makes collections of dense vectors, weighted words and token sets (kept among the user's data), and on each
    measures recall against exact search, times, memory, filters and additions. Prints tables, stores every number
    as JSON and draws the curves. A run that was stopped goes on where it was.
    """
    from limner.core.errors import MissingDependency
    from limner.core.runtime import user_data_dir
    from limner.measure.search import tables
    from limner.measure.search.bench import KINDS, SearchBench, Settings, clear
    from limner.measure.search.curves import draw
    from limner.measure.search.sizes import parsed_size, size_text

    number = parsed_size(size)
    checkout = Path("bench/results")
    folder = out.expanduser() if out else checkout if checkout.is_dir() else Path()
    cache = user_data_dir() / "bench"
    settings = Settings(number, tuple(KINDS) if kind == "all" else (kind,), peers, seed)
    words = [f"--size {size_text(number)}", f"--kind {kind}", "--peers" if peers else "--no-peers", f"--seed {seed}"]
    more = {}
    if data is not None:
        from limner.measure.search.real import encoded

        more["dense"] = encoded(data.expanduser(), cache, seed, _tell)
        words.append("--data DATA")
    clear(cache)
    bench = SearchBench(settings, folder, cache, " ".join(["limner bench search", *words]), _tell, more)
    bench.run()
    print(tables.text(bench.result))
    print(f"\nkept in {bench.path}")
    try:
        for path in draw(bench.result, folder):
            print(f"drawn in {path}")
    except MissingDependency as error:
        print(f"no curves: {error}")


def _tell(line: str) -> None:
    import sys

    print(line, file=sys.stderr, flush=True)
