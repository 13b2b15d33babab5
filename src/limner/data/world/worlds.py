"""What a world is made of: its shapes, colours, patterns and textures, how many objects, how much writing.

A world is a parameter object: `WORLD_A` is the world of `scene_at(seed, index)`, `WORLD_B` another one with its own
palette, patterns, textures and so its own vocabulary. Variants: `dataclasses.replace(WORLD_A, most=9)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from limner.core.errors import InputError

Rgb: TypeAlias = tuple[int, int, int]

SIZES = ("small", "large")

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
    "teal": ((14, 122, 124), (10, 100, 106)),
    "navy": ((22, 30, 92), (16, 24, 74)),
    "maroon": ((112, 14, 40), (94, 10, 32)),
    "olive": ((118, 120, 30), (102, 104, 22)),
    "beige": ((228, 210, 172), (218, 198, 158)),
    "turquoise": ((70, 216, 206), (54, 200, 192)),
    "magenta": ((222, 34, 150), (204, 24, 134)),
    "lavender": ((196, 178, 238), (184, 164, 228)),
    "gold": ((214, 168, 36), (198, 152, 28)),
    "lime": ((168, 228, 48), (150, 214, 36)),
    "silver": ((190, 196, 202), (176, 182, 190)),
}
"""Two shades of each colour that a person would call by that one name; a drawn colour lies near one of them."""


@dataclass(frozen=True, slots=True)
class World:
    """The parameters from which scenes are sampled. Raises InputError where they cannot be met."""

    shapes: tuple[str, ...]
    colours: tuple[str, ...]
    """Of objects and writing."""
    grounds: tuple[str, ...]
    """Colours of backgrounds."""
    patterns: tuple[str, ...]
    textures: tuple[str, ...]
    """Of backgrounds."""
    fewest: int = 1
    most: int = 4
    """Objects in a scene: `fewest` to `most`, 1 to 30."""
    scale: float = 1.0
    """Of the objects' sizes: a small object measures 0.18 to 0.23 of the picture's side times this, a large one 0.34
    to 0.44 times this. Many objects fit only when it is smaller."""
    grid: int | None = None
    """Objects stand in the cells of a grid of so many rows and columns, sized by the cell; None: anywhere."""
    written: float = 0.0
    """Share of the scenes that carry a short written word."""

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= self.most <= 30:
            raise InputError(f"{self.fewest} to {self.most} objects in a scene: choose 1 to 30, the fewest first")
        if not 0.2 <= self.scale <= 1:
            raise InputError(f"objects of scale {self.scale}: choose 0.2 to 1")
        if self.grid is not None and not (1 <= self.grid <= 6 and self.most <= self.grid**2):
            raise InputError(f"{self.most} objects in a grid of {self.grid}: choose 1 to 6, one cell for each object")
        if not 0 <= self.written <= 1:
            raise InputError(f"writing in {self.written} of the scenes: choose a share from 0 to 1")

    def values(self, attribute: str) -> tuple[str, ...]:
        """What an object's "shape", "colour", "pattern" or "size" can be."""
        return {"shape": self.shapes, "colour": self.colours, "pattern": self.patterns, "size": SIZES}[attribute]


ATTRIBUTES = ("shape", "colour", "pattern", "size")

_COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "black", "white")

WORLD_A = World(
    shapes=("circle", "square", "triangle", "star", "hexagon", "cross", "ring", "heart", "diamond", "crescent"),
    colours=_COLOURS,
    grounds=(*_COLOURS, "grey"),  # no grey objects: grey is how other colours look when shaded
    patterns=("solid", "striped", "dotted", "checkered"),
    textures=("plain", "gradient", "grainy"),
)

_OTHER_COLOURS = (
    "teal", "navy", "maroon", "olive", "beige", "turquoise", "magenta", "lavender", "gold", "lime",
)  # fmt: skip

WORLD_B = World(
    shapes=(
        "square", "star", "oval", "pentagon", "arrow", "drop", "bolt", "trapezoid", "semicircle", "hourglass",
    ),
    colours=_OTHER_COLOURS,
    grounds=(*_OTHER_COLOURS, "silver"),
    patterns=("solid", "zigzag", "latticed", "ringed"),
    textures=("plain", "tiled", "rippled", "cloudy"),
)  # fmt: skip
"""A shifted world: two shapes in common with world A, everything else seen and said otherwise."""
