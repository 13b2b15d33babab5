"""Flickr8k as it was given out: a folder of photographs, a table of captions and three lists of names."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from pathlib import Path

from limner.core.errors import SourceError
from limner.core.types import Item
from limner.data.datasets.dataset import Dataset, split_dataset
from limner.data.datasets.places import locate_pictures

TABLE = "Flickr8k.token.txt"
LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "val": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
EXTRA = "extra"
"""Captioned photographs on no list."""
_CAPTION = re.compile(r"(?P<name>[^\t]+)#\d+\t(?P<caption>.+)")


def is_flickr8k(folder: str | Path) -> bool:
    return _text_folder(folder) is not None


def read_flickr8k(folder: str | Path, split: str | None, images: str | Path | None) -> Dataset:
    """The four splits; the table's captions of a photograph that was never given out are passed over.

    Raises SourceError: a list is missing, a line of the table is malformed, the photographs are not found.
    """
    texts_at = _text_folder(folder)
    if texts_at is None:
        raise SourceError(f"{folder}: no {TABLE} here")
    table = os.path.join(texts_at, TABLE)
    captions: dict[str, list[str]] = defaultdict(list)
    for number, line in enumerate(_lines(table), 1):
        match = _CAPTION.fullmatch(line)
        if match is None:
            raise SourceError(f"{table}: line {number} is not `name.jpg#0 <tab> caption`")
        captions[match["name"]].append(match["caption"].strip())
    split_of = {name: part for part, file in LISTS.items() for name in _lines(os.path.join(texts_at, file))}
    # The published table has one name without a photograph, "....jpg.1".
    names = [*split_of, *(name for name in captions if name not in split_of and name.lower().endswith(".jpg"))]
    uri_of = locate_pictures(table, images, [(name,) for name in names])
    items = [Item(uri_of((name,)), name, texts=tuple(captions[name])) for name in names]
    return split_dataset("flickr8k", str(folder), items, [split_of.get(name, EXTRA) for name in names], split)


def _text_folder(folder: str | Path) -> str | None:
    """Where the table is: the texts and the photographs came as two archives."""
    whole = os.path.abspath(os.path.expanduser(folder))
    for place in (whole, os.path.join(whole, "Flickr8k_text")):
        if os.path.isfile(os.path.join(place, TABLE)):
            return place
    return None


def _lines(path: str) -> list[str]:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; Flickr8k needs it beside {TABLE}") from None
    except UnicodeDecodeError:
        raise SourceError(f"{path}: not UTF-8 text") from None
    return [line for line in text.splitlines() if line.strip()]
