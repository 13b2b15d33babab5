"""Scenes whose truth is known: what is in the picture, where, in which colour, on which background.

Lengths and positions are relative to the picture's side (0 to 1, y grows downwards), so that one scene can
be drawn at any size. Boxes, relations, places and counts are computed from the geometry, never stored beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

from limner.data.world.outlines import Point, unit_outline
from limner.data.world.worlds import WORLD_A, Rgb, World

Box: TypeAlias = tuple[float, float, float, float]
Direction: TypeAlias = Literal["left of", "right of", "above", "below"]
Place: TypeAlias = Literal[
    "top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right"
]

OPPOSITE: dict[Direction, Direction] = {
    "left of": "right of", "right of": "left of", "above": "below", "below": "above",
}  # fmt: skip
PLACES: tuple[Place, ...] = (
    "top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right",
)  # fmt: skip
"""The ninths of the picture, row after row."""

CLEAR = 0.12  # two centres must differ by this much along an axis for a direction to be beyond dispute
_EDGE = 0.03  # a centre so near to the line between two ninths lies in neither beyond dispute


@dataclass(frozen=True, slots=True)
class Finish:
    """What makes one thing itself among its like: proportions, and its pattern's scale, turn, phase and ink."""

    aspect: float
    """Width of the outline is multiplied by this (0.6 to 1)."""
    repeats: float
    """Of the pattern across the extent."""
    turn: float
    """Of the pattern against the object, in radians."""
    phase: Point
    """In repeats."""
    ink: Rgb


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
    finish: Finish | None = None
    """None: the usual proportions and pattern, which does not tilt with the object."""

    @property
    def outline(self) -> list[list[Point]]:
        """Closed polygons: the outer edge, then holes."""
        cos, sin = math.cos(self.angle) * self.extent, math.sin(self.angle) * self.extent
        x0, y0 = self.centre
        aspect = self.finish.aspect if self.finish else 1.0
        return [
            [(x0 + x * aspect * cos - y * sin, y0 + x * aspect * sin + y * cos) for x, y in loop]
            for loop in unit_outline(self.shape)
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
class Word:
    """A short word written on the background, in capitals A to Z and digits."""

    text: str
    corner: Point
    """Left and top."""
    height: float
    rgb: Rgb

    @property
    def box(self) -> Box:
        left, top = self.corner
        return left, top, left + self.width(len(self.text), self.height), top + self.height

    @staticmethod
    def width(letters: int, height: float) -> float:
        """Each letter is 5 units wide and 7 high, with a unit between two."""
        return (6 * letters - 1) * height / 7


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
    word: Word | None = None
    world: World = WORLD_A
    """What else could have been in it."""

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


def lies(thing: Object, place: Place) -> bool | None:
    """Whether the object's centre is in that ninth of the picture; None where people could differ.

    They could where the centre is near the edge of the ninth, and an object in the top left is "on the left" to some.
    """
    row, column = divmod(PLACES.index(place), 3)
    across, down = _within(thing.centre[0], column), _within(thing.centre[1], row)
    if column == 1 and row != 1 and down is not False:  # "at the top" says little about left and right
        across = across or None
    if row == 1 and column != 1 and across is not False:
        down = down or None
    return False if False in (across, down) else None if None in (across, down) else True


def _within(level: float, third: int) -> bool | None:
    if not third / 3 - _EDGE < level < (third + 1) / 3 + _EDGE:
        return False
    low, high = (third / 3 + _EDGE if third > 0 else 0.0), ((third + 1) / 3 - _EDGE if third < 2 else 1.0)
    return True if low <= level <= high else None


def place_of(thing: Object) -> Place | None:
    """The ninth of the picture in which the object's centre lies, None where people could differ."""
    return next((place for place in PLACES if lies(thing, place)), None)
