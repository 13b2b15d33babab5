"""The outline of each shape: closed polygons around the origin, inside a circle of diameter 1."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

Point: TypeAlias = tuple[float, float]
Loop: TypeAlias = tuple[Point, ...]


@lru_cache
def unit_outline(shape: str) -> tuple[Loop, ...]:
    """The outer edge, then holes; y grows downwards."""
    if shape == "ring":
        return _arc(64, 0.5), _arc(64, 0.28)
    return (_OUTLINES[shape](),)


def _arc(count: int, radius: float, *, turn: float = 0.0) -> Loop:
    """`count` points evenly around a circle, the first at the top, moved on by `turn` of a full turn."""
    angles = [2 * math.pi * (i / count + turn) for i in range(count)]
    return tuple((radius * math.sin(angle), -radius * math.cos(angle)) for angle in angles)


def _scaled(loop: Loop, x_scale: float, y_scale: float) -> Loop:
    return tuple((x_scale * x, y_scale * y) for x, y in loop)


def _star() -> Loop:
    return tuple(point for pair in zip(_arc(5, 0.5), _arc(5, 0.2, turn=0.1), strict=True) for point in pair)


def _cross() -> Loop:
    arm, half = 0.48, 0.14
    corner = ((-half, -arm), (half, -arm), (half, -half))
    quarter_turns = ((1, 0), (0, 1), (-1, 0), (0, -1))
    return tuple((x * c - y * s, x * s + y * c) for c, s in quarter_turns for x, y in corner)


def _heart() -> Loop:
    """The well-known sextic heart curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t, scaled."""
    angles = [2 * math.pi * i / 64 for i in range(64)]
    return tuple(
        (
            16 * math.sin(t) ** 3 / 36,
            -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t) + 2.5) / 36,
        )
        for t in angles
    )


def _crescent() -> Loop:
    """A disc without the part that another disc, moved right, covers."""
    tip, bite = math.radians(50), 0.4  # the tips' angle from the right; the radius of the other disc
    tip_x, tip_y = 0.5 * math.cos(tip), 0.5 * math.sin(tip)
    middle = tip_x - math.sqrt(bite**2 - tip_y**2) + 0.0
    inner = math.atan2(tip_y, tip_x - middle)
    outer_edge = [tip + (2 * math.pi - 2 * tip) * i / 40 for i in range(41)]
    inner_edge = [2 * math.pi - inner - (2 * math.pi - 2 * inner) * i / 40 for i in range(1, 40)]
    edge = [(0.5 * math.cos(a), 0.5 * math.sin(a)) for a in outer_edge]
    return tuple(edge + [(middle + bite * math.cos(a), bite * math.sin(a)) for a in inner_edge])


def _drop() -> Loop:
    """A round belly below, drawn out to a tip at the top: the belly between the two tangents from the tip."""
    radius, low = 0.3, 0.2
    touch = math.acos(radius / (0.5 + low))  # where the tangents touch, as an angle from the upward direction
    angles = [touch + (2 * math.pi - 2 * touch) * i / 40 for i in range(41)]
    return ((0.0, -0.5), *((radius * math.sin(a), low - radius * math.cos(a)) for a in angles))


_OUTLINES = {
    "circle": lambda: _arc(64, 0.5),
    "square": lambda: _arc(4, 0.5, turn=1 / 8),
    "diamond": lambda: _scaled(_arc(4, 0.5), 0.72, 1),
    "triangle": lambda: _arc(3, 0.5),
    "hexagon": lambda: _arc(6, 0.5),
    "star": _star,
    "cross": _cross,
    "heart": _heart,
    "crescent": _crescent,
    "oval": lambda: _scaled(_arc(64, 0.5), 1, 0.6),
    "pentagon": lambda: _arc(5, 0.5),
    "arrow": lambda: (
        (-0.48, -0.12), (0.06, -0.12), (0.06, -0.32), (0.48, 0.0), (0.06, 0.32), (0.06, 0.12), (-0.48, 0.12),
    ),
    "drop": _drop,
    "bolt": lambda: (
        (0.12, -0.48), (-0.26, 0.08), (-0.02, 0.08), (-0.14, 0.48), (0.28, -0.12), (0.02, -0.12), (0.26, -0.42),
    ),
    "trapezoid": lambda: ((-0.2, -0.26), (0.2, -0.26), (0.42, 0.26), (-0.42, 0.26)),
    "semicircle": lambda: tuple((x, y + 0.22) for x, y in _arc(64, 0.46, turn=-0.25)[:33]),
    "hourglass": lambda: ((-0.3, -0.4), (0.3, -0.4), (0.06, 0.0), (0.3, 0.4), (-0.3, 0.4), (-0.06, 0.0)),
}  # fmt: skip
