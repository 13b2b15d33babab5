"""`limner illustrate`: a few pictures for a text of many sentences."""

from __future__ import annotations

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
    shown,
    shown_uri,
)
from limner.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from limner.search.illustrate import Illustration


def illustrate(
    article: Annotated[Path, typer.Argument(metavar="FILE", help="The text, UTF-8; - reads standard input.")],
    k: Annotated[int, typer.Option("-k", "--count", metavar="N", help="How many pictures to choose at most.")] = 5,
    where: WhereOption = None,
    min_score: Annotated[
        float, typer.Option("--min-score", metavar="P", help="Leave out pictures less probable than this, from 0 to 1.")
    ] = 0.0,
    collection: CollectionOption = None,
    json: JsonOption = False,
) -> None:
    """Choose a few pictures that together show much of a text.

    Below each picture stand the passages that it shows. One that adds nothing
    to the others is not chosen, so there may be fewer than asked for.
    """
    text = _read(article)
    with open_collection(collection) as photos:
        chosen = photos.illustrate(text, k=k, where=where, min_score=min_score)
    if json:
        rows = [{**hit_as_json(rank, one.hit), "passages": list(one.passages)} for rank, one in enumerate(chosen, 1)]
        print(as_json(rows))
    else:
        print(_as_text(chosen))


def _as_text(chosen: Sequence[Illustration]) -> str:
    if not chosen:
        return "nothing found"
    lines = []
    for rank, one in enumerate(chosen, 1):
        lines.append(f"{rank:>3}  {one.hit.probability:.2f}  {shown_uri(one.hit.uri)}")
        lines += [f"           {shown(passage)}" for passage in one.passages]
    return "\n".join(lines)


def _read(article: Path) -> str:
    try:
        content = sys.stdin.buffer.read() if str(article) == "-" else article.expanduser().read_bytes()
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{article}: cannot be read ({error.strerror}); give a text file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{article}: not UTF-8 ({error.reason} at byte {error.start}); give a text file") from error
