"""Pairs of a picture and a text whose complexity is chosen: how many attributes of how many objects the text tells.

Complexity is the number of pairs of a region and an attribute that the text states (Varma et al. 2023, ViLLA). Here
objects stand in the cells of a grid, as in that paper's synthetic set, and each has a sentence of its own. With a fixed
budget of such pairs, a set of complexity c has `budget // c` pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.data.world.captions import Caption, say, sentences_of
from limner.data.world.facts import Exists, kind_of
from limner.data.world.sampling import sample_scene
from limner.data.world.scene import Scene
from limner.data.world.worlds import ATTRIBUTES, WORLD_A, World

GRID = replace(WORLD_A, grid=3, most=9)
"""Up to 9 objects in the cells of a 3 x 3 grid."""


@dataclass(frozen=True, slots=True)
class ComplexPair:
    scene: Scene
    caption: Caption
    """A sentence for each object, in random order."""
    sentences: tuple[Caption, ...]
    table: npt.NDArray[np.bool_]
    """(objects, values): whether the text tells this value of this object; columns as in `attribute_values`."""

    @property
    def complexity(self) -> int:
        return int(self.table.sum())

    @property
    def told(self) -> npt.NDArray[np.bool_]:
        """(values,): what is known without looking: which values the text names."""
        return self.table.any(0)


def attribute_values(world: World = GRID) -> list[str]:
    """The columns of `ComplexPair.table`: all shapes, colours, patterns, sizes."""
    return [value for name in ATTRIBUTES for value in world.values(name)]


def complex_pair(seed: int, index: int, complexity: int, world: World = GRID, language: str = "en") -> ComplexPair:
    """Pair number `index` of sequence `seed`, of exactly this complexity.

    Every object is told by its shape and 0 to 3 more attributes. Raises InputError for a complexity that the world's
    objects cannot reach: below 1, or above 4 for each of `world.most`.
    """
    cells = world.most
    if not 1 <= complexity <= len(ATTRIBUTES) * cells:
        raise InputError(f"complexity {complexity}: choose 1 to {len(ATTRIBUTES) * cells}, 4 for each object at most")
    rng = Random(f"complexity {complexity} {seed}/{index}")
    number = rng.randint(-(-complexity // len(ATTRIBUTES)), min(complexity, cells))
    scene = sample_scene(rng, replace(world, fewest=number, most=number))
    extra = rng.sample([(i, name) for i in range(number) for name in ATTRIBUTES[1:]], complexity - number)
    told = [("shape", *(name for i, name in extra if i == position)) for position in range(number)]
    order = rng.sample(range(number), number)
    facts = [Exists(kind_of(scene.objects[position], *told[position])) for position in order]
    caption = say(facts, scene, language=language, style="long", voice=rng.getrandbits(32))
    sentences = tuple(
        replace(sentence, objects=(position,))
        for sentence, position in zip(sentences_of(caption, scene), order, strict=True)
    )
    columns = {value: column for column, value in enumerate(attribute_values(world))}
    table = np.zeros((number, len(columns)), bool)
    for position, names in enumerate(told):
        table[position, [columns[getattr(scene.objects[position], name)] for name in names]] = True
    return ComplexPair(scene, caption, sentences, table)
