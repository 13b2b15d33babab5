"""A scene's objects as class numbers: for classification, multi-label targets and concepts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from limner.data.world.scene import Object, Scene
from limner.data.world.worlds import WORLD_A, World

CLASS = ("colour", "shape")


def label_names(world: World = WORLD_A, attributes: Sequence[str] = CLASS) -> list[str]:
    """The name of each class: every combination of values of these attributes ("red circle", ...)."""
    return [" ".join(values) for values in product(*(world.values(name) for name in attributes))]


def label_of(thing: Object, world: World = WORLD_A, attributes: Sequence[str] = CLASS) -> int:
    """The object's class: its position in `label_names` for the same attributes."""
    number = 0
    for name in attributes:
        values = world.values(name)
        number = number * len(values) + values.index(getattr(thing, name))
    return number


def label_ids(scene: Scene, attributes: Sequence[str] = CLASS) -> list[int]:
    """The class of each object, in the order of the objects."""
    return [label_of(thing, scene.world, attributes) for thing in scene.objects]


def label_vectors(scenes: Sequence[Scene], attributes: Sequence[str] = CLASS) -> npt.NDArray[np.bool_]:
    """(scenes, classes): whether a scene has an object of the class. All scenes are of one world."""
    world = scenes[0].world if scenes else WORLD_A
    vectors = np.zeros((len(scenes), len(label_names(world, attributes))), bool)
    for row, scene in enumerate(scenes):
        vectors[row, label_ids(scene, attributes)] = True
    return vectors
