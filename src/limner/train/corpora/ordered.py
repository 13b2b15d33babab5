"""Captions in which the order of the words is all: "a circle left of a square", and the same with the two exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

from limner.data.corpus import Text
from limner.data.world import Scene, say
from limner.data.world.facts import Related, kind_of


@dataclass(frozen=True, slots=True)
class Ordered:
    """A scene of two shapes has one text of role "caption", which says which is left of, or above, the other.

    To choose and to tell on there is one of role "swapped", too: the same words with the two shapes exchanged, which
    is false. A scene where neither is beyond dispute, or with other than two shapes, has no text.
    """

    def write(self, scenes: Sequence[Scene], first: int, seed: int, *, train: bool) -> list[list[Text]]:
        return [_texts(scene, train) for scene in scenes]


def _texts(scene: Scene, train: bool) -> list[Text]:
    shapes = dict.fromkeys(kind_of(thing, "shape") for thing in scene.objects)
    if len(shapes) != 2 or len(scene.objects) != 2:
        return []
    for one, other in permutations(shapes):
        for direction in ("left of", "above"):
            fact, swapped = Related(one, direction, other), Related(other, direction, one)
            if fact.truth(scene) and swapped.truth(scene) is False:
                caption = Text(say([fact], scene).text)
                return [caption] if train else [caption, Text(say([swapped], scene).text, "swapped")]
    return []
