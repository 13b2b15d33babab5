"""What to say about a scene, before it is put into the words of any language: styles of captions as lists of facts."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Literal, TypeAlias

from limner.data.world.facts import Backdrop, Count, Exists, Fact, Kind, Located, Related, Written, kind_of
from limner.data.world.scene import Scene, place_of
from limner.data.world.worlds import ATTRIBUTES

Style: TypeAlias = Literal[
    "full", "short", "partial", "relation", "count", "negated", "coarse", "label", "long", "sentence"
]
Planner: TypeAlias = Callable[[Scene, Random], list[Fact]]


def full(scene: Scene, rng: Random) -> list[Fact]:
    """All objects, like ones together, in the order of reading, often with the writing and the background."""
    attributes = ["shape", "colour", *(name for name in ("pattern", "size") if rng.random() < 0.5)]
    in_order = sorted(scene.objects, key=lambda thing: (round(thing.centre[1] * 3), thing.centre[0]))
    kinds = dict.fromkeys(kind_of(thing, *attributes) for thing in in_order)
    facts: list[Fact] = []
    for kind in kinds:
        number = len(kind.among(scene))
        facts.append(Exists(kind) if number == 1 else Count(kind, number))
    if scene.word is not None and rng.random() < 0.8:
        facts.append(Written(scene.word.text))
    return facts + _backdrop(scene, rng, 0.6)


def short(scene: Scene, rng: Random) -> list[Fact]:
    """One object, or the word that is written."""
    if scene.word is not None and rng.random() < 0.2:
        return [Written(scene.word.text), *_backdrop(scene, rng, 0.5)]
    return [Exists(_some_kind(scene, rng)), *_backdrop(scene, rng, 0.2)]


def partial(scene: Scene, rng: Random) -> list[Fact]:
    """Two different objects of several."""
    if len(scene.objects) < 2:
        return []
    pair = rng.sample(scene.objects, 2)
    kinds = dict.fromkeys(kind_of(thing, "shape", "colour") for thing in pair)
    return [Exists(kind) for kind in kinds] + _backdrop(scene, rng, 0.2)


def relation(scene: Scene, rng: Random) -> list[Fact]:
    if not scene.relations:
        return []
    chosen = rng.choice(scene.relations)
    extra = [name for name in ("pattern", "size") if rng.random() < 0.2]
    subject, other = (
        kind_of(scene.objects[position], "shape", "colour", *extra) for position in (chosen.subject, chosen.other)
    )
    return [Related(subject, chosen.direction, other), *_backdrop(scene, rng, 0.2)]


def count(scene: Scene, rng: Random) -> list[Fact]:
    thing = rng.choice(scene.objects)
    attributes = rng.choice(((), ("shape",), ("colour",), ("shape", "colour"), ("pattern",), ("size",)))
    kind = kind_of(thing, *attributes)
    return [Count(kind, len(kind.among(scene)))]


def negated(scene: Scene, rng: Random) -> list[Fact]:
    """Something that is there, maybe, and something that is not."""
    there: list[Fact] = [Exists(_some_kind(scene, rng))] if rng.random() < 0.6 else []
    return [*there, Count(_absent(scene, rng), 0)]


def coarse(scene: Scene, rng: Random) -> list[Fact]:
    """So little that many scenes share it: "a striped blue shape", "two circles", "three shapes"."""
    thing = rng.choice(scene.objects)
    kind = kind_of(thing, *rng.choice((("pattern", "colour"), ("pattern", "colour"), ("colour",), ("shape",), ())))
    number = len(kind.among(scene))
    return [Exists(kind) if number == 1 else Count(kind, number)]


def label(scene: Scene, rng: Random) -> list[Fact]:
    """One object as a label: "a red circle"."""
    return [Exists(kind_of(rng.choice(scene.objects), "shape", "colour"))]


PLANNERS: dict[str, Planner] = {
    "full": full, "short": short, "partial": partial, "relation": relation, "count": count, "negated": negated,
    "coarse": coarse, "label": label,
}  # fmt: skip
"""A planner returns [] for a scene of which it has nothing to say: no relation, no second object."""


def long(scene: Scene, rng: Random, sentences: int) -> list[Fact]:
    """So many facts in random order: every object, the background, the writing, then relations, counts, absences.

    An object's own fact tells all its attributes, and where it is when that is beyond dispute. Relations and counts
    name objects by shape and colour only, so that a pattern, a size and a texture are told once.
    """
    facts: list[Fact] = []
    for thing in scene.objects:
        kind, place = kind_of(thing, *ATTRIBUTES), place_of(thing)
        facts.append(Located(kind, place) if place else Exists(kind))
    facts.append(Backdrop(scene.background.colour, scene.background.texture))
    if scene.word is not None:
        facts.append(Written(scene.word.text))
    facts = list(dict.fromkeys(facts))
    more = [fact for fact in _relations(scene, rng) if fact not in facts]
    counts = dict.fromkeys(kind_of(thing, name) for thing in scene.objects for name in ("shape", "colour"))
    more += [Count(kind, len(kind.among(scene))) for kind in counts]
    facts += more[: max(0, sentences - len(facts))]
    absent: dict[Fact, None] = {}
    while len(facts) + len(absent) < sentences and len(absent) < 8:
        absent[Count(_absent(scene, rng), 0)] = None
    facts += absent
    rng.shuffle(facts)
    return facts


def _relations(scene: Scene, rng: Random) -> list[Fact]:
    """Each pair of objects at most once in each axis, from either side, in random order."""
    told: set[tuple[int, ...]] = set()
    facts: dict[Fact, None] = {}
    relations = list(scene.relations)
    rng.shuffle(relations)
    for found in relations:
        pair = (*sorted((found.subject, found.other)), found.direction in ("above", "below"))
        subject, other = (kind_of(scene.objects[i], "shape", "colour") for i in (found.subject, found.other))
        if pair not in told and subject != other:
            told.add(pair)
            facts[Related(subject, found.direction, other)] = None
    return list(facts)


def _some_kind(scene: Scene, rng: Random) -> Kind:
    """A description of one object by its shape and maybe more, or by its colour alone."""
    thing = rng.choice(scene.objects)
    attributes = ["shape"] if rng.random() < 0.9 else []
    attributes += ["colour"] if not attributes or rng.random() < 0.85 else []
    attributes += [name for name, share in (("pattern", 0.35), ("size", 0.3)) if rng.random() < share]
    return kind_of(thing, *attributes)


def _absent(scene: Scene, rng: Random) -> Kind:
    """A colour, a shape or a coloured shape of the world that no object has."""
    world = scene.world
    while True:
        attributes = rng.choice((("colour",), ("shape",), ("shape", "colour"), ("shape", "colour")))
        kind = Kind(**{name: rng.choice(world.values(name)) for name in attributes})
        if not kind.among(scene):
            return kind


def _backdrop(scene: Scene, rng: Random, share: float) -> list[Fact]:
    if rng.random() >= share:
        return []
    background = scene.background
    return [Backdrop(background.colour, background.texture if rng.random() < 0.4 else None)]
