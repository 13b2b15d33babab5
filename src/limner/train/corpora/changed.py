"""Crowded scenes in pairs that differ in one small object: what a vector of the whole picture easily loses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from limner.data.corpus import Corpora, Text
from limner.data.world import WORLD_A, Scene, World, near_duplicates, scene_at, twin
from limner.train.corpora.derived import Derived
from limner.train.corpora.scenes import scene_corpus
from limner.train.runs import Place

CROWDED = replace(WORLD_A, fewest=4, most=6, scale=0.8)
"""Four to six objects; the small ones measure about a sixth of the picture's side."""
_TRIES = 20


@dataclass(frozen=True, slots=True)
class WithChanges(Derived):
    """The same data with a further test set "changed": 2 i and 2 i + 1 are scenes that are the same but for the colour
    or the shape of one small object. Each has one caption, which tells colour and shape of all its objects; the two
    are worded alike."""

    pairs: int = 500
    seed: int = 3000
    world: World = CROWDED

    def load(self, place: Place) -> Corpora:
        corpora = self.data.load(place)
        pairs: list[tuple[Scene, Scene]] = []
        number = 0
        while len(pairs) < self.pairs:
            scene = scene_at(self.seed, number, self.world)
            if other := with_small_change(scene, Random(f"changed {self.seed}/{number}")):
                pairs.append((scene, other))
            number += 1
        texts = [
            [Text(near_duplicates(scene, Random(f"changed {self.seed} {pair}"), 0)[0].text)]
            for pair, scenes in enumerate(pairs)
            for scene in scenes
        ]
        changed = scene_corpus("changed scenes", [scene for scenes in pairs for scene in scenes], texts, place)
        return replace(corpora, more={**corpora.more, "changed": changed})


def with_small_change(scene: Scene, rng: Random) -> Scene | None:
    """The scene with one small object in another colour or shape; None where none was found (all are large, say)."""
    for _ in range(_TRIES):
        other = twin(scene, rng, rng.choice(("colour", "shape")))
        if other and scene.objects[other.objects[0]].size == "small":
            return other.scene
    return None
