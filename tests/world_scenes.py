"""Scenes for the tests of the procedural world; `from world_scenes import ...` works in every test."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

from limner.data.world import WORLD_A, WORLD_B, Background, Object, Scene, scene_at
from limner.data.world.worlds import SHADES

numbers = st.integers(0, 10**9)
scenes = st.builds(scene_at, numbers, numbers)
scenes_of_any_world = st.builds(scene_at, numbers, numbers, st.sampled_from([WORLD_A, WORLD_B]))
randoms = st.builds(Random, numbers)


def an_object(shape: str = "circle", colour: str = "red", x: float = 0.5, y: float = 0.5, **changes: object) -> Object:
    values: dict = {"pattern": "solid", "size": "small", "extent": 0.2, "angle": 0.0, "rgb": SHADES[colour][0]}
    return Object(shape, colour, centre=(x, y), **(values | changes))


def a_scene(*objects: Object) -> Scene:
    return Scene(objects, Background("white", "plain", (250, 250, 250)), 0)
