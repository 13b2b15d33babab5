"""`limner demo`: the whole way once, on pictures that come with the package."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from limner.cli.common import shown_uri
from limner.cli.contact_sheet import Section, write_contact_sheet
from limner.cli.progress import progress_line, report_text
from limner.cli.search import hits_as_text

QUERIES = (
    "a close up of a cat",
    "a rocket taking off at night",
    "a woman in an orange suit",
    "a brick wall",
    "a yellow heart",
    "2:red circle -blue",
)
SHOWN = 3


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where everything goes.")] = Path("demo-out"),
) -> None:
    """Index some pictures, search them in words, show the hits and what each was found by.

    Uses photographs that scikit-image carries and scenes drawn by limner; nothing is downloaded.
    """
    from limner.collection import Collection
    from limner.data.demo import write_demo_pictures

    pictures, collection, page = out / "pictures", out / "demo.limner", out / "index.html"
    count = len(write_demo_pictures(pictures))
    print(f"{count} pictures written to {shown_uri(str(pictures))}")
    sections = []
    with Collection(collection) as photos:
        with progress_line() as show:
            report = photos.add(pictures, progress=show)
        print(f"indexed in {shown_uri(str(collection))}: {report_text(report)}")
        for query in QUERIES:
            hits = photos.search(query, k=SHOWN, explain=True)
            sections.append(Section(query, hits))
            print(f'\nlimner search "{query}" -k {SHOWN} --explain\n{hits_as_text(hits, explain=True)}')
    write_contact_sheet(page, "limner demo", sections)
    print(f"\nThe same as a page of pictures: {page.absolute()}\n\nNow your own pictures:")
    print(f'  {_program()} index ~/photos\n  {_program()} search "a dog on a beach" --open')


def _program() -> str:
    """How this person calls limner: by its name where the shell would find it, else by its path."""
    return "limner" if shutil.which("limner") else shown_uri(str(Path(sys.argv[0]).absolute()))
