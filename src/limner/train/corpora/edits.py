"""Scenes with one object in another colour, or without one: what a picture together with words should find."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from limner.data.corpus import Corpora, Text
from limner.data.world import WORLD_A, Object, Scene, World, say, scene_at
from limner.data.world.facts import Exists, kind_of
from limner.data.world.sampling import colours_on, near
from limner.data.world.worlds import SHADES
from limner.train.corpora.derived import Derived
from limner.train.corpora.scenes import scene_corpus
from limner.train.runs import Place


@dataclass(frozen=True, slots=True)
class Edit:
    """A scene that comes from another one; `source` -1: it is a source itself."""

    scene: Scene
    source: int = -1
    """Row of the scene that was changed."""
    added: str = ""
    """A label of what is there now: "a blue square"."""
    removed: str = ""
    """A label of what was there."""


@dataclass(frozen=True, slots=True)
class WithEdits(Derived):
    """The same data with a further test set "edits": source scenes of three or four objects, each with `recoloured`
    versions of which one object has another colour, and one version without each object. Its truth is Edits.

    A label names one thing only: what is added was not there, what is removed is not there any more.
    """

    sources: int = 100
    recoloured: int = 12
    seed: int = 2000
    world: World = replace(WORLD_A, fewest=3)

    def load(self, place: Place) -> Corpora:
        corpora = self.data.load(place)
        edits = self.edits()
        corpus = scene_corpus("scenes edits", [edit.scene for edit in edits], self._texts(edits), place)
        return replace(corpora, more={**corpora.more, "edits": corpus.replace(truth=edits)})

    def edits(self) -> list[Edit]:
        """The sources first."""
        scenes = [scene_at(self.seed, index, self.world) for index in range(self.sources)]
        edits = [Edit(scene) for scene in scenes]
        for row, scene in enumerate(scenes):
            rng = Random(f"edits {self.seed}/{row}")
            edits += rng.sample(found := recolourings(scene, row, rng), min(self.recoloured, len(found)))
            edits += removals(scene, row)
        return edits

    def _texts(self, edits: list[Edit]) -> list[list[Text]]:
        return [[Text(text, "label") for text in (edit.added, edit.removed) if text] for edit in edits]


def recolourings(scene: Scene, row: int, rng: Random) -> list[Edit]:
    """Every object in every other colour that stands out, where no other object is of the old or the new kind."""
    edits = []
    for place, thing in enumerate(scene.objects):
        for colour in colours_on(scene.background, scene.world):
            other = replace(thing, colour=colour, rgb=near(rng.choice(SHADES[colour]), rng))
            if colour != thing.colour and not _others_like(scene, place, thing, other):
                changed = replace(scene, objects=(*scene.objects[:place], other, *scene.objects[place + 1 :]))
                edits.append(Edit(changed, row, label(other, changed), label(thing, scene)))
    return edits


def removals(scene: Scene, row: int) -> list[Edit]:
    """The scene without each object that is the only one of its colour and shape."""
    return [
        Edit(
            replace(scene, objects=scene.objects[:place] + scene.objects[place + 1 :]), row, removed=label(thing, scene)
        )
        for place, thing in enumerate(scene.objects)
        if not _others_like(scene, place, thing)
    ]


def label(thing: Object, scene: Scene) -> str:
    """ "a blue square" """
    return say([Exists(kind_of(thing, "shape", "colour"))], scene).text


def _others_like(scene: Scene, place: int, *things: Object) -> bool:
    kinds = {(thing.shape, thing.colour) for thing in things}
    return any((other.shape, other.colour) in kinds for i, other in enumerate(scene.objects) if i != place)
