"""What the verbs share: the collection option, and how names and hits are shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from limner.collection import Collection
    from limner.core.types import Hit

CollectionOption = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--collection",
        metavar="FOLDER",
        help="The collection. Without it: $LIMNER_COLLECTION, else default.limner among the user's data.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME|FOLDER", help="Model of a new collection [default: the bundled one]."),
]
WhereOption = Annotated[
    str | None, typer.Option("--where", metavar="FILTER", help="Only items whose fields fit: year >= 2019 and ...")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def collection_path(given: Path | None) -> Path:
    from limner.core.runtime import user_data_dir

    if given is None and (named := os.environ.get("LIMNER_COLLECTION")):
        given = Path(named)
    return given.expanduser() if given else user_data_dir() / "default.limner"


def open_collection(given: Path | None, recall: float | None = None) -> Collection:
    """Open the collection that a command means; CollectionError where there is none yet."""
    from limner.collection import Collection

    settings = {} if recall is None else {"recall": recall}
    return Collection(collection_path(given), create=False, **settings)


def shown(text: str) -> str:
    """Text safe to print: one line, control characters and broken Unicode as escapes."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape", "surrogatepass").decode() for letter in text
    )


def shown_uri(uri: str) -> str:
    """A uri as a person would write it here: relative to the current folder where it lies inside."""
    here = os.getcwd() + os.sep
    return shown(uri.removeprefix(here))


def hit_as_json(rank: int, hit: Hit) -> dict[str, object]:
    return {
        "rank": rank,
        "id": hit.item.id,
        "uri": hit.uri,
        "probability": round(hit.probability, 6),
        "score": round(hit.score, 6),
        "parts": dict(hit.parts),
        "region": list(hit.region.box) if hit.region else None,
        "regions": {part: list(region.box) for part, region in hit.regions.items()},
        "texts": list(hit.item.texts),
        "fields": dict(hit.item.fields),
    }


def as_json(value: object) -> str:
    import json

    return json.dumps(value, indent=2, ensure_ascii=False, default=str)  # str: a path
