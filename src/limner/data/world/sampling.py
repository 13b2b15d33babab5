"""Scenes from seeds: sampled from a world's parameters, reached by number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from limner.core.errors import InputError
from limner.data.world.scene import Background, Box, Object, Scene, Word
from limner.data.world.worlds import SHADES, WORLD_A, Rgb, World

GAP = 0.02  # free room between two objects, and between an object and the picture's edge
CONTRAST = 100  # distance in RGB between an object and the background
_TILT = 0.2  # radians; more would turn a square into a diamond
_EXTENTS = {"small": (0.18, 0.23), "large": (0.34, 0.44)}
_EXTENTS_IN_CELL = {"small": (0.45, 0.55), "large": (0.78, 0.92)}
_TRIES = 100  # scenes sampled before a world is said to have no room for its fewest objects
WORDS = (
    "ACE", "AXE", "BAG", "BOX", "CAFE", "CUP", "DOG", "EXIT", "FISH", "FOX", "GO", "HAT", "ICE", "JAM", "KEY", "LOVE",
    "MAP", "MILK", "NEW", "NO", "OPEN", "OWL", "PIE", "QUIZ", "RUN", "SALE", "STOP", "TAXI", "UP", "VAN", "WEST", "YES",
    "ZOO", "A1", "B52", "C3", "D48", "E7", "F6", "G90", "H12", "K9", "M25", "P8", "R34", "T17", "X5", "Z06", "2024",
)  # fmt: skip


def scene_at(seed: int, index: int, world: World = WORLD_A) -> Scene:
    """Scene number `index` of the endless sequence `seed` of a world, reached without drawing those before it."""
    return sample_scene(Random(f"scene {seed}/{index}"), world)


def sample_scene(rng: Random, world: World = WORLD_A) -> Scene:
    """A scene of `world.fewest` to `world.most` objects that do not touch.

    The same state of `rng` gives the same scene. Colours of objects stand out from the background; two objects
    share a colour or a shape more often than by chance, so that counts above one and captions that need both
    words are common. Raises InputError where the fewest objects that the world asks for find no room.
    """
    for _ in range(_TRIES):
        background = sample_background(rng, world)
        colours = colours_on(background, world)
        number = rng.randint(world.fewest, world.most)
        cells = cells_of(world, number, rng)
        objects: list[Object] = []
        for position in range(number):
            shape, colour = rng.choice(world.shapes), rng.choice(colours)
            if objects and rng.random() < 0.3:
                colour = objects[-1].colour
            if objects and rng.random() < 0.3:
                shape = objects[-1].shape
            pattern = rng.choice(world.patterns) if rng.random() < 0.6 else world.patterns[0]
            placed = place(shape, colour, pattern, objects, rng, world, cells[position] if cells else None)
            if placed is not None:
                objects.append(placed)
            elif len(objects) + number - position - 1 < world.fewest:
                break  # too few can follow
        if len(objects) >= world.fewest:
            return finish_scene(objects, background, rng, world)
    raise InputError(f"{world.fewest} objects of scale {world.scale} find no room: choose a smaller scale")


def finish_scene(objects: Sequence[Object], background: Background, rng: Random, world: World) -> Scene:
    """The scene of these objects, with a written word in the world's share of scenes."""
    seed = rng.getrandbits(32)
    word = None
    if world.written and rng.random() < world.written:
        word = _write(rng.choice(WORDS), objects, background, rng, world)
    return Scene(tuple(objects), background, seed, word, world)


def sample_background(rng: Random, world: World) -> Background:
    colour = rng.choice(world.grounds)
    return Background(colour, rng.choice(world.textures), near(rng.choice(SHADES[colour]), rng))


def colours_on(background: Background, world: World) -> list[str]:
    """The world's colours that stand out from the background in both of their shades."""
    return [
        colour for colour in world.colours if all(math.dist(rgb, background.rgb) >= CONTRAST for rgb in SHADES[colour])
    ]


def place(
    shape: str, colour: str, pattern: str, others: Sequence[Object], rng: Random, world: World, cell: Box | None = None
) -> Object | None:
    """An object somewhere free (in the cell); a small one where no large one fits; None where the picture is full."""
    angle, rgb = rng.uniform(-_TILT, _TILT), near(rng.choice(SHADES[colour]), rng)
    taken = [other.box for other in others]
    left, top, right, bottom = cell or (0.0, 0.0, 1.0, 1.0)
    scale, extents = (right - left, _EXTENTS_IN_CELL) if cell else (world.scale, _EXTENTS)
    for size in ("large", "small") if rng.random() < 0.5 else ("small",):
        for _ in range(20):
            extent = rng.uniform(*extents[size]) * scale
            half = extent / 2
            centre = (rng.uniform(left + half, right - half), rng.uniform(top + half, bottom - half))
            candidate = Object(shape, colour, pattern, size, centre, extent, angle, rgb)
            if fits(candidate.box, taken):
                return candidate
    return None


def fits(box: Box, taken: Sequence[Box]) -> bool:
    """Whether the box lies inside the picture, apart from all boxes that are taken."""
    left, top, right, bottom = box
    if min(left, top) < GAP or max(right, bottom) > 1 - GAP:
        return False
    return all(
        right + GAP <= other[0] or other[2] + GAP <= left or bottom + GAP <= other[1] or other[3] + GAP <= top
        for other in taken
    )


def near(rgb: Rgb, rng: Random) -> Rgb:
    """A colour that nobody can tell from this one."""
    red, green, blue = (min(255, max(0, level + rng.randint(-8, 8))) for level in rgb)
    return red, green, blue


def cells_of(world: World, number: int, rng: Random) -> list[Box]:
    """Different cells of the world's grid, with the picture's edge and a gap between two left free."""
    if world.grid is None:
        return []
    side = (1 - 2 * GAP) / world.grid
    chosen = rng.sample(range(world.grid**2), number)
    return [
        (
            GAP + column * side + GAP / 2,
            GAP + row * side + GAP / 2,
            GAP + (column + 1) * side - GAP / 2,
            GAP + (row + 1) * side - GAP / 2,
        )
        for row, column in (divmod(cell, world.grid) for cell in chosen)
    ]


def _write(text: str, objects: Sequence[Object], background: Background, rng: Random, world: World) -> Word | None:
    """The word somewhere free; None where the picture is full."""
    rgb = near(rng.choice(SHADES[rng.choice(colours_on(background, world))]), rng)
    taken = [thing.box for thing in objects]
    for height in (0.14, 0.11):
        width = Word.width(len(text), height)
        for _ in range(20):
            word = Word(text, (rng.uniform(GAP, 1 - GAP - width), rng.uniform(GAP, 1 - GAP - height)), height, rgb)
            if fits(word.box, taken):
                return word
    return None
