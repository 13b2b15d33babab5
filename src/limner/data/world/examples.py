"""A sheet of examples: `python -m limner.data.world.examples sheet.png` draws the picture of the world's page."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from PIL import Image

from limner.data.world.complexity import complex_pair
from limner.data.world.draw import draw
from limner.data.world.instances import draw_view, view_at
from limner.data.world.leaves import CONCEPTS, draw_leaf, leaf_at
from limner.data.world.products import draw_listing, listing_at
from limner.data.world.sampling import scene_at
from limner.data.world.twins import near_duplicates, twin
from limner.data.world.worlds import WORLD_A, WORLD_B

_SIDE, _COLUMNS, _MARGIN, _TONES = 64, 8, 4, 96


def example_rows() -> Iterator[list[Image.Image]]:
    """Eight pictures of each kind, in the order in which the page names them."""
    columns = range(_COLUMNS)
    yield [draw(scene_at(0, index), _SIDE) for index in columns]
    yield [draw(scene_at(0, index, replace(WORLD_B, written=0.5)), _SIDE) for index in columns]
    many = replace(WORLD_A, fewest=9, most=12, scale=0.6, written=1.0)
    yield [draw(scene_at(1, index, many), _SIDE) for index in columns]
    yield [draw(complex_pair(0, index, 2 * index + 2).scene, _SIDE) for index in columns]
    pairs = [(scene_at(2, index), twin(scene_at(2, index), Random(index))) for index in columns[: _COLUMNS // 2]]
    yield [draw(scene, _SIDE) for one, other in pairs if other for scene in (one, other.scene)]
    yield [draw(scene, _SIDE) for scene in near_duplicates(scene_at(7, 2), Random(0), _COLUMNS)[1]]
    yield [draw_view(view_at(0, 3 + index // 4, index % 4), _SIDE) for index in columns]
    yield [draw_listing(listing_at(0, index // 4, index % 4), _SIDE) for index in columns]
    yield [draw_leaf(leaf_at(0, index * CONCEPTS // _COLUMNS + index % 4, 0), _SIDE) for index in columns]


def example_sheet() -> Image.Image:
    """All rows on one sheet, in few colours, so that its file is small."""
    rows = list(example_rows())
    step = _SIDE + _MARGIN
    sheet = Image.new("RGB", (_COLUMNS * step + _MARGIN, len(rows) * step + _MARGIN), "white")
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            sheet.paste(picture, (_MARGIN + column * step, _MARGIN + row * step))
    return sheet.quantize(_TONES, dither=Image.Dither.NONE)


if __name__ == "__main__":
    example_sheet().save(sys.argv[1], optimize=True)
