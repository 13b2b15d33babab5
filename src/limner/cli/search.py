"""`limner search`: find pictures with words, a picture, or both."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from limner.cli.common import (
    CollectionOption,
    JsonOption,
    WhereOption,
    as_json,
    hit_as_json,
    open_collection,
    shown_uri,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limner.core.types import Hit


def search(
    query: Annotated[
        str,
        typer.Argument(
            metavar="QUERY",
            help='Words, "quoted phrases", -minus, 2:weight, image:PATH, where:FILTER; all inside one pair of quotes.',
            show_default=False,
        ),
    ] = "",
    k: Annotated[int, typer.Option("-k", "--count", metavar="N", help="How many to show at most.")] = 10,
    image: Annotated[
        str | None, typer.Option("--image", metavar="FILE", help="A picture to find more of; joins the words, if any.")
    ] = None,
    where: WhereOption = None,
    min_score: Annotated[
        float, typer.Option("--min-score", metavar="P", help="Leave out hits less probable than this, from 0 to 1.")
    ] = 0.0,
    recall: Annotated[
        float | None,
        typer.Option("--recall", metavar="R", help="Find this share of the best on average [default: 0.98]; 1: all."),
    ] = None,
    collection: CollectionOption = None,
    json: JsonOption = False,
    sheet: Annotated[
        Path | None, typer.Option("--sheet", metavar="FILE", help="Write the hits as a page of pictures (HTML).")
    ] = None,
    explain: Annotated[
        bool,
        typer.Option(
            "--explain", help="Show below each hit what it was found by: each part's weight, its place if known."
        ),
    ] = False,
    expand: Annotated[
        bool, typer.Option("--expand", help="Let what is written about pictures say it in like words, too.")
    ] = False,
    open_: Annotated[bool, typer.Option("--open", help="Show the page of pictures in the browser.")] = False,
) -> None:
    """Find pictures with words, a picture, or both.

    Shows rank, probability that the picture fits, and file name.

    A query that begins with a minus goes after two dashes: limner search -- "-people beach".

    Finding nothing is an answer, not an error: it is said, and the exit code is 0.
    """
    if image:
        image = os.path.expanduser(image)  # no shell does that in --image=~/ref.jpg
    with open_collection(collection, recall) as photos:
        hits = photos.search(query, image=image, k=k, where=where, min_score=min_score, explain=explain, expand=expand)
    if json:
        print(as_json([hit_as_json(rank, hit) for rank, hit in enumerate(hits, 1)]))
    else:
        print(hits_as_text(hits, explain))
    if sheet or open_:
        title = " · ".join(filter(None, [query, image and f"like {image}", where]))
        _show_sheet(sheet, open_, title, hits)


def hits_as_text(hits: Sequence[Hit], explain: bool = False) -> str:
    if not hits:
        return "nothing found"
    lines = []
    for rank, hit in enumerate(hits, 1):
        lines.append(f"{rank:>3}  {hit.probability:.2f}  {shown_uri(hit.uri)}")
        lines += [f"           {line}" for line in _reasons(hit)] if explain else []
    return "\n".join(lines)


def _reasons(hit: Hit) -> list[str]:
    """A line for each space, its parts by falling size: what speaks for the hit, and what against it.

    The place in the picture follows an @, as in a query: left, top, right, bottom.
    """
    spaces: dict[str, list[tuple[str, float]]] = {}
    for name, share in hit.parts.items():
        space, _, label = name.partition(": ")
        if name in hit.regions:
            label += "@" + ",".join(f"{edge:.2g}" for edge in hit.regions[name].box)
        spaces.setdefault(space, []).append((label, share))
    return [
        f"{space}: "
        + ", ".join(f"{label} {share:+.2f}" for label, share in sorted(parts, key=lambda one: -abs(one[1])))
        for space, parts in spaces.items()
    ]


def _show_sheet(path: Path | None, in_browser: bool, title: str, hits: Sequence[Hit]) -> None:
    import webbrowser

    from limner.cli.contact_sheet import Section, write_contact_sheet
    from limner.core.runtime import user_data_dir

    page = (path.expanduser() if path else user_data_dir() / "last-search.html").absolute()
    write_contact_sheet(page, title, [Section(title, hits)])
    if not in_browser or not webbrowser.open(page.as_uri()):
        print(f"page of pictures: {page}", file=sys.stderr)
