"""What the engine asks of a collection: its items, its filter, and the pictures that a query names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from limner.core.errors import InputError, PictureError
from limner.core.query import Predicate
from limner.core.selection import Selection
from limner.core.types import Integers, Item, Region, Representation, Representations, Sparse
from limner.encode.words import WORDS, Frequency, as_shares
from limner.index.catalogue import Catalogue
from limner.index.filters import Filters
from limner.index.place import Vectors

if TYPE_CHECKING:
    from PIL import Image

GIVEN = "(given)"
"""What a query calls the picture that it was given as pixels, not as a place."""


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """Implements `search.engine.Ledger`."""

    catalogue: Catalogue
    stores: Mapping[str, Vectors]
    words: Vectors
    frequency: Frequency
    filters: Filters
    picture_side: int
    """Pixels of the shorter side to which a whole picture may be decoded: the same as when indexing."""
    given: Image.Image | None = None

    def items(self, ids: Integers) -> dict[int, Item]:
        return self.catalogue.get(ids)

    def select(self, predicate: Predicate) -> Selection:
        return self.filters.select(predicate)

    def example(self, id: str) -> Representations:
        key = self.catalogue.keys([id]).get(id)
        if key is None:
            raise InputError(f"no item {id!r} in {self.catalogue.path.parent}: limner search --json shows ids")
        made = {}
        for space, store in self.stores.items():
            found, rows = store.take(np.array([key], np.int64))
            if not len(found):
                raise InputError(f"item {id!r} has no vector of this model; make it with: limner reindex")
            made[space] = rows
        _, written = self.words.take(np.array([key], np.int64))
        assert isinstance(written, Sparse)
        return {**made, WORDS.name: as_shares(written, self.frequency)}

    def vectors(self, space: str, ids: Integers) -> tuple[Integers, Representation]:
        return (self.words if space == WORDS.name else self.stores[space]).take(ids)

    def picture(self, uri: str, region: Region | None) -> Image.Image:
        if uri == GIVEN and self.given is not None:
            picture = upright_rgb(self.given)
        else:
            picture = self._read(uri, None if region else self.picture_side)
        if region is None:
            return picture
        left, top, right, bottom = region.box
        width, height = picture.size
        edges = (int(left * width), int(top * height), int(right * width), int(bottom * height))
        return picture.crop((*edges[:2], max(edges[2], edges[0] + 1), max(edges[3], edges[1] + 1)))

    def _read(self, uri: str, shorter_side: int | None) -> Image.Image:
        from limner.data.content import path_uri, read_bytes
        from limner.data.pictures import read_picture

        place = os.path.expanduser(uri)
        if os.path.isfile(place):  # a file may be called x.tar::a.jpg
            place = path_uri(os.path.abspath(place))
        try:
            return read_picture(read_bytes(place), place, shorter_side=shorter_side)[0]
        except PictureError as error:
            reason = "no such file" if error.reason == "vanished" else error.reason
            raise PictureError(uri, f"{reason}; search with another picture") from error


def upright_rgb(picture: Image.Image) -> Image.Image:
    """A picture of the caller's, brought to what a file of it would be read as."""
    from PIL import ImageOps

    from limner.data.pictures import flattened

    try:
        return flattened(ImageOps.exif_transpose(picture))
    except (OSError, SyntaxError, ValueError) as error:  # opened by the caller, read only now
        raise PictureError("the given picture", f"cannot be read ({error}); search with another picture") from error
