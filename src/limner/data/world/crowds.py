"""Crowded scenes with one small rare thing in each, seen whole or from near (card 119, SORCE, arXiv 2505.24441)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.data.world.draw import draw
from limner.data.world.facts import Backdrop, Count, Fact, kind_of
from limner.data.world.sampling import cells_of, colours_on, finish_scene, place, sample_background
from limner.data.world.scene import Box, Object, Scene
from limner.data.world.worlds import WORLD_A, World

CROWDED = replace(WORLD_A, fewest=15, most=24, grid=5)
"""Small objects measure 0.09 to 0.11 of the side: their boxes cover about 1 % of the picture."""
SPARSE = replace(CROWDED, fewest=1, most=6)
_CLEAR = 0.06  # half the extent of a small object: nearer to a middle line, it may lie across it


@cache
def rare_kinds(world: World) -> tuple[tuple[str, str, str], ...]:
    """Shapes, colours and patterns that only the one rare thing of a scene has together.

    Of each shape in each colour one pattern is common, the others are rare, so that every two of the three are
    common: only all three together tell a rare thing.
    """
    return tuple(
        (shape, colour, pattern)
        for i, shape in enumerate(world.shapes)
        for j, colour in enumerate(world.colours)
        for k, pattern in enumerate(world.patterns)
        if (i + j + k) % len(world.patterns)
    )


def rare_number(seed: int, index: int, world: World = CROWDED) -> int:
    """Which of the rare kinds is in scene `index`: each once in every len(rare_kinds) scenes, in random order."""
    count = len(rare_kinds(world))
    turn, position = divmod(index, count)
    return Random(f"rare {seed}/{turn}").sample(range(count), count)[position]


def crowd_at(seed: int, index: int, world: World = CROWDED) -> Scene:
    """Crowd number `index` of the endless sequence `seed`; `world` has a grid. Its objects[0] is the rare thing, small.

    Raises InputError for a world without a grid.
    """
    if world.grid is None:
        raise InputError("a crowd stands in a grid: give the world one")
    rng = Random(f"crowd {seed}/{index}")
    number = rare_number(seed, index, world)
    background = sample_background(rng, world)
    while rare_kinds(world)[number][1] not in (colours := colours_on(background, world)):
        background = sample_background(rng, world)
    first, *others = cells_of(world, rng.randint(world.fewest, world.most), rng)
    objects = [_small(rare_kinds(world)[number], rng, world, first)]
    for cell in others:
        thing = place(*_common(colours, rng, world), objects, rng, world, cell)
        objects += [thing] if thing else []
    return finish_scene(objects, background, rng, world)


def _small(kind: tuple[str, str, str], rng: Random, world: World, cell: Box) -> Object:
    """The first object of a scene: it finds room in the end."""
    while True:
        thing = place(*kind, (), rng, world, cell)
        if thing and thing.size == "small":
            return thing


def _common(colours: Sequence[str], rng: Random, world: World) -> tuple[str, str, str]:
    """Shape, colour and the one pattern that is common with them."""
    i, colour = rng.randrange(len(world.shapes)), rng.choice(colours)
    pattern = -(i + world.colours.index(colour)) % len(world.patterns)
    return world.shapes[i], colour, world.patterns[pattern]


def crowd_facts(scene: Scene, rng: Random, counts: int = 3) -> list[Fact]:
    """What a glance at the whole tells: the background, and how many there are of some shapes and colours."""
    kinds = dict.fromkeys(kind_of(thing, name) for thing in scene.objects for name in ("shape", "colour"))
    several = [Count(kind, number) for kind in kinds if (number := len(kind.among(scene))) > 1]
    told: list[Fact] = [*rng.sample(several, min(counts, len(several)))]
    return [*told, Backdrop(scene.background.colour, scene.background.texture)]


@dataclass(frozen=True, slots=True)
class Look:
    """A crowd seen through a square window of side 1 / `zoom` that has the rare thing as near its middle as can be."""

    scene: Scene
    zoom: float = 1.0

    @property
    def corner(self) -> tuple[float, float]:
        """Left and top of the window."""
        side = 1 / self.zoom
        x, y = (min(max(level - side / 2, 0.0), 1 - side) for level in self.scene.objects[0].centre)
        return x, y

    @property
    def quadrant(self) -> int:
        """Of the rare thing in the window: 0 top left, 1 top right, 2 bottom left, 3 bottom right; -1: across two."""
        across, down = (
            (level - edge) * self.zoom for level, edge in zip(self.scene.objects[0].centre, self.corner, strict=True)
        )
        if min(abs(across - 0.5), abs(down - 0.5)) < _CLEAR * self.zoom:
            return -1
        return 2 * (down > 0.5) + (across > 0.5)

    def draw(self, size: int) -> npt.NDArray[np.uint8]:
        """(size, size, 3): cut out of the whole, drawn so much larger."""
        whole = draw(self.scene, round(size * self.zoom))
        left, top = (min(round(edge * whole.width), whole.width - size) for edge in self.corner)
        return np.asarray(whole.crop((left, top, left + size, top + size)))
