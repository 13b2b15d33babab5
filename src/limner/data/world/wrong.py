"""Captions that are false because one fact of them was changed in one place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from limner.data.world.captions import Caption, describe, with_facts
from limner.data.world.facts import Backdrop, Count, Exists, Fact, Kind, Located, Related, Written
from limner.data.world.planning import Style
from limner.data.world.sampling import WORDS
from limner.data.world.scene import OPPOSITE, PLACES, Scene
from limner.data.world.worlds import ATTRIBUTES, World

_TRIES = 50
_STYLES: tuple[Style, ...] = ("full", "short", "partial", "relation", "count", "negated")


@dataclass(frozen=True, slots=True)
class WrongCaption:
    """A caption that is false, what was changed in it, and the caption before."""

    caption: Caption
    changed: str
    """"shape", "colour", "pattern", "size", "count", "place", "relation", "background" or "word"."""
    right: Caption

    @property
    def text(self) -> str:
        return self.caption.text


def falsify(caption: Caption, scene: Scene, rng: Random) -> WrongCaption | None:
    """The caption with one fact changed so that this fact, and only this, becomes false; the wording stays.

    None where nothing in it can be false (every shape is in the scene, and the caption says that one is).
    """
    for _ in range(_TRIES):
        position = rng.randrange(len(caption.facts))
        altered, changed = _alter(caption.facts[position], scene.world, rng)
        if altered.truth(scene) is False:
            facts = (*caption.facts[:position], altered, *caption.facts[position + 1 :])
            return WrongCaption(with_facts(caption, facts, scene), changed, caption)
    return None


def wrong_caption(scene: Scene, rng: Random, language: str = "en") -> WrongCaption:
    """A caption of any style that was true until one of its facts was changed in one place."""
    while True:
        wrong = falsify(describe(scene, rng, rng.choice(_STYLES), language), scene, rng)
        if wrong is not None:
            return wrong


def _alter(fact: Fact, world: World, rng: Random) -> tuple[Fact, str]:
    """The fact with one thing in it changed, and the name of what changed."""
    match fact:
        case Count(kind, number) if number > 0:
            return Count(
                kind, rng.choice([other for other in range(max(1, number - 2), number + 3) if other != number])
            ), "count"
        case Exists(kind) | Count(kind):
            altered, name = _alter_kind(kind, world, rng)
            return replace(fact, kind=altered), name
        case Located(kind, place):
            if rng.random() < 0.5:
                return Located(kind, rng.choice([other for other in PLACES if other != place])), "place"
            altered, name = _alter_kind(kind, world, rng)
            return Located(altered, place), name
        case Related(subject, direction):
            if rng.random() < 0.5:
                return replace(fact, direction=OPPOSITE[direction]), "relation"
            altered, name = _alter_kind(subject, world, rng)
            return replace(fact, subject=altered), name
        case Backdrop(colour, texture):
            return Backdrop(rng.choice([name for name in world.grounds if name != colour]), texture), "background"
        case Written(text):
            return Written(rng.choice([word for word in WORDS if word != text])), "word"


def _alter_kind(kind: Kind, world: World, rng: Random) -> tuple[Kind, str]:
    named = [name for name in ATTRIBUTES if getattr(kind, name)]
    name = rng.choice(named or ["shape"])  # of "an object" or "no object" the least is that it has a shape
    value = rng.choice([value for value in world.values(name) if value != getattr(kind, name)])
    return kind.but(**{name: value}), name
