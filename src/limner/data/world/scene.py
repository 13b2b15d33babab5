"""Scenes whose truth is known: what is in the picture, where, in which colour, on which background.

Lengths and positions are relative to the picture's side (0 to 1, y grows downwards), so that one scene can
be drawn at any size. Boxes, relations and counts are computed from the geometry, never stored beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Literal, TypeAlias

from limner.core.errors import InputError

Point: TypeAlias = tuple[float, float]
Box: TypeAlias = tuple[float, float, float, float]
Rgb: TypeAlias = tuple[int, int, int]
Direction: TypeAlias = Literal["left of", "right of", "above", "below"]

SHAPES = ("circle", "square", "triangle", "star", "hexagon", "cross", "ring", "heart", "diamond", "crescent")
PATTERNS = ("solid", "striped", "dotted", "checkered")
SIZES = ("small", "large")
TEXTURES = ("plain", "gradient", "grainy")
OPPOSITE: dict[Direction, Direction] = {
    "left of": "right of", "right of": "left of", "above": "below", "below": "above",
}  # fmt: skip

SHADES: dict[str, tuple[Rgb, Rgb]] = {
    "red": ((214, 32, 38), (176, 18, 30)),
    "orange": ((245, 132, 18), (232, 112, 30)),
    "yellow": ((250, 218, 40), (240, 204, 20)),
    "green": ((38, 156, 62), (24, 120, 50)),
    "blue": ((36, 92, 214), (28, 60, 168)),
    "purple": ((128, 46, 172), (100, 34, 140)),
    "pink": ((250, 140, 186), (242, 110, 168)),
    "brown": ((122, 74, 36), (98, 58, 28)),
    "black": ((18, 18, 20), (32, 30, 34)),
    "white": ((252, 252, 250), (240, 240, 242)),
    "grey": ((136, 138, 140), (118, 120, 124)),
}
"""Two shades of each colour that a person would call by that one name; a drawn colour lies near one of them."""

BACKGROUND_COLOURS = tuple(SHADES)
OBJECT_COLOURS = tuple(name for name in SHADES if name != "grey")  # grey is how other colours look when shaded

_EXTENTS = {"small": (0.18, 0.23), "large": (0.34, 0.44)}
_GAP = 0.02  # free room between two objects, and between an object and the picture's edge
_CONTRAST = 100  # distance in RGB between an object and the background
_TILT = 0.2  # radians; more would turn a square into a diamond
CLEAR = 0.12  # two centres must differ by this much along an axis for a direction to be beyond dispute


@dataclass(frozen=True, slots=True)
class Object:
    """One drawn thing."""

    shape: str
    colour: str
    pattern: str
    size: str
    centre: Point
    extent: float
    """Diameter of the circle around its untilted outline."""
    angle: float
    """Tilt, in radians."""
    rgb: Rgb
    """The exact colour that `colour` names."""

    @property
    def outline(self) -> list[list[Point]]:
        """Closed polygons: the outer edge, then holes."""
        cos, sin = math.cos(self.angle) * self.extent, math.sin(self.angle) * self.extent
        x0, y0 = self.centre
        return [
            [(x0 + x * cos - y * sin, y0 + x * sin + y * cos) for x, y in loop] for loop in _unit_outline(self.shape)
        ]

    @property
    def box(self) -> Box:
        """left, top, right, bottom: tight around the outline."""
        xs, ys = zip(*self.outline[0], strict=True)
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True, slots=True)
class Background:
    colour: str
    texture: str
    rgb: Rgb


@dataclass(frozen=True, slots=True)
class Relation:
    """`subject` lies in that direction from `other`; both are positions in `Scene.objects`."""

    subject: int
    direction: Direction
    other: int


@dataclass(frozen=True, slots=True)
class Scene:
    objects: tuple[Object, ...]
    background: Background
    seed: int
    """Of the grain in the background, the only random thing that drawing does."""

    @property
    def relations(self) -> tuple[Relation, ...]:
        """Every relation beyond dispute (see `clearly`), in the order of the objects."""
        pairs = [(i, j) for i in range(len(self.objects)) for j in range(len(self.objects)) if i != j]
        return tuple(
            Relation(i, direction, j)
            for i, j in pairs
            for direction in OPPOSITE
            if clearly(self.objects[i], direction, self.objects[j])
        )


def ahead(subject: Object, direction: Direction, other: Object) -> float:
    """How far the centre of `subject` lies in that direction from the centre of `other` (negative: opposite)."""
    dx, dy = subject.centre[0] - other.centre[0], subject.centre[1] - other.centre[1]
    return {"left of": -dx, "right of": dx, "above": -dy, "below": dy}[direction]


def clearly(subject: Object, direction: Direction, other: Object) -> bool:
    """Whether everybody would say so: far enough, and further in that direction than sideways."""
    distance = math.dist(subject.centre, other.centre)
    forward = ahead(subject, direction, other)
    return forward >= CLEAR and forward >= distance * math.sqrt(0.5)


def sample_scene(rng: Random, *, most: int = 4) -> Scene:
    """A scene of 1 to `most` (1 to 9, else InputError) objects that do not touch.

    The same state of `rng` gives the same scene. Colours of objects stand out from the background; two objects
    share a colour or a shape more often than by chance, so that counts above one and captions that need both
    words are common.
    """
    if not 1 <= most <= 9:
        raise InputError(f"up to {most} objects in a scene: choose 1 to 9")
    backdrop = rng.choice(BACKGROUND_COLOURS)
    background = Background(backdrop, rng.choice(TEXTURES), _near(rng.choice(SHADES[backdrop]), rng))
    colours = [
        colour
        for colour in OBJECT_COLOURS
        if all(math.dist(rgb, background.rgb) >= _CONTRAST for rgb in SHADES[colour])
    ]
    objects: list[Object] = []
    for _ in range(rng.randint(1, most)):
        shape, colour = rng.choice(SHAPES), rng.choice(colours)
        if objects and rng.random() < 0.3:
            colour = objects[-1].colour
        if objects and rng.random() < 0.3:
            shape = objects[-1].shape
        placed = _place(shape, colour, objects, rng)
        if placed is not None:
            objects.append(placed)
    return Scene(tuple(objects), background, rng.getrandbits(32))


def scene_at(seed: int, index: int) -> Scene:
    """Scene number `index` of the endless world `seed`, reached without drawing those before it."""
    return sample_scene(Random(f"scene {seed}/{index}"))


def _place(shape: str, colour: str, others: list[Object], rng: Random) -> Object | None:
    """An object somewhere free; a small one where no large one fits; None where the picture is full."""
    pattern = rng.choice(PATTERNS) if rng.random() < 0.6 else "solid"
    angle, rgb = rng.uniform(-_TILT, _TILT), _near(rng.choice(SHADES[colour]), rng)
    taken = [other.box for other in others]
    for size in ("large", "small") if rng.random() < 0.5 else ("small",):
        for _ in range(20):
            extent = rng.uniform(*_EXTENTS[size])
            centre = (rng.uniform(extent / 2, 1 - extent / 2), rng.uniform(extent / 2, 1 - extent / 2))
            candidate = Object(shape, colour, pattern, size, centre, extent, angle, rgb)
            left, top, right, bottom = candidate.box
            inside = min(left, top) >= _GAP and max(right, bottom) <= 1 - _GAP
            if inside and all(
                right + _GAP <= box[0] or box[2] + _GAP <= left or bottom + _GAP <= box[1] or box[3] + _GAP <= top
                for box in taken
            ):
                return candidate
    return None


def _near(rgb: Rgb, rng: Random) -> Rgb:
    red, green, blue = (min(255, max(0, level + rng.randint(-8, 8))) for level in rgb)
    return red, green, blue


@lru_cache
def _unit_outline(shape: str) -> tuple[tuple[Point, ...], ...]:
    """Closed polygons around the origin, inside a circle of diameter 1; the first is the outer edge."""
    if shape == "ring":
        return _arc(64, 0.5), _arc(64, 0.28)
    return (
        {
            "circle": lambda: _arc(64, 0.5),
            "square": lambda: _arc(4, 0.5, turn=1 / 8),
            "diamond": lambda: tuple((0.72 * x, y) for x, y in _arc(4, 0.5)),
            "triangle": lambda: _arc(3, 0.5),
            "hexagon": lambda: _arc(6, 0.5),
            "star": lambda: tuple(
                point for pair in zip(_arc(5, 0.5), _arc(5, 0.2, turn=0.1), strict=True) for point in pair
            ),
            "cross": _cross,
            "heart": _heart,
            "crescent": _crescent,
        }[shape](),
    )


def _arc(count: int, radius: float, *, turn: float = 0.0) -> tuple[Point, ...]:
    """`count` points evenly around a circle, the first at the top, moved on by `turn` of a full turn."""
    angles = [2 * math.pi * (i / count + turn) for i in range(count)]
    return tuple((radius * math.sin(angle), -radius * math.cos(angle)) for angle in angles)


def _cross() -> tuple[Point, ...]:
    arm, half = 0.48, 0.14
    corner = ((-half, -arm), (half, -arm), (half, -half))
    quarter_turns = ((1, 0), (0, 1), (-1, 0), (0, -1))
    return tuple((x * c - y * s, x * s + y * c) for c, s in quarter_turns for x, y in corner)


def _heart() -> tuple[Point, ...]:
    """The well-known sextic heart curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, scaled."""
    angles = [2 * math.pi * i / 64 for i in range(64)]
    return tuple(
        (
            16 * math.sin(t) ** 3 / 36,
            -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t) + 2.5) / 36,
        )
        for t in angles
    )


def _crescent() -> tuple[Point, ...]:
    """A disc without the part that another disc, moved right, covers."""
    tip, bite = math.radians(50), 0.4  # the tips' angle from the right; the radius of the other disc
    tip_x, tip_y = 0.5 * math.cos(tip), 0.5 * math.sin(tip)
    middle = tip_x - math.sqrt(bite**2 - tip_y**2) + 0.0
    inner = math.atan2(tip_y, tip_x - middle)
    outer_edge = [tip + (2 * math.pi - 2 * tip) * i / 40 for i in range(41)]
    inner_edge = [2 * math.pi - inner - (2 * math.pi - 2 * inner) * i / 40 for i in range(1, 40)]
    edge = [(0.5 * math.cos(a), 0.5 * math.sin(a)) for a in outer_edge]
    return tuple(edge + [(middle + bite * math.cos(a), bite * math.sin(a)) for a in inner_edge])
