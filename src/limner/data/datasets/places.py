"""Where the pictures of an annotation file are: the file names them, but not the folder that holds them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from limner.core.errors import SourceError
from limner.data.content import path_uri
from limner.data.sources.paths import ARCHIVE_SUFFIXES
from limner.data.sources.rows import stamp_or_none

FOLDERS = ("", "images", "Flicker8k_Dataset", "Flickr8k_Dataset", "flickr30k-images", "flickr30k_images")
"""Looked for in the folder of the annotation file and in the one above it."""
_TRIED = 20


def locate_pictures(
    table: str, images: str | Path | None, names: Sequence[Sequence[str]]
) -> Callable[[Sequence[str]], str]:
    """Ways to write a picture's name -> its uri.

    `names`: of each picture, the paths under which it may lie, the likeliest first ("val2014/x.jpg", "x.jpg");
    the same one of them must hold for all. `images`: the folder or tar archive that the person named; None:
    looked for near `table`. Raises SourceError where none of the first twenty pictures is found.
    """
    here = os.path.dirname(table)
    places = [os.path.join(base, folder) for base in (here, os.path.dirname(here)) for folder in FOLDERS]
    if images is not None:
        places = [os.path.abspath(os.path.expanduser(images))]
    for place in places:
        for way in range(len(names[0])):
            if any(stamp_or_none(_uri(place, ways[way])) for ways in names[:_TRIED]):
                return partial(_nth_uri, place, way)
    where = f"in {places[0]}" if images is not None else "near it"
    raise SourceError(f"{table}: its pictures ({names[0][0]}, ...) are not {where}; say which folder or tar holds them")


def _nth_uri(place: str, way: int, ways: Sequence[str]) -> str:
    return _uri(place, ways[way])


def _uri(place: str, name: str) -> str:
    if place.lower().endswith(ARCHIVE_SUFFIXES):
        return f"{place}::{name}"
    return path_uri(os.path.normpath(os.path.join(place, name)))
