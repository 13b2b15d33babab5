"""A describer of known quality: what somebody writes who looks at a scene, sees most of it, and errs (card 120).

It perceives a scene, which is another scene: objects that were overlooked are gone, attributes may be mistaken, things
that are not there may have been added. What it then writes is true of what it perceived.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from limner.core.errors import InputError
from limner.data.world.captions import long_description
from limner.data.world.sampling import colours_on, place
from limner.data.world.scene import Object, Scene, place_of
from limner.data.world.worlds import ATTRIBUTES


@dataclass(frozen=True, slots=True)
class Describer:
    """Raises InputError for a share outside 0 to 1."""

    recall: float = 1.0
    """Chance that an object is seen."""
    wrong: float = 0.0
    """Chance that an attribute of an object that is seen (shape, colour, pattern, size) is mistaken for another."""
    invented: float = 0.0
    """Things told that are not there, as a share of the objects that are, as far as there is room."""

    def __post_init__(self) -> None:
        for name in ("recall", "wrong", "invented"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"a describer's {name} of {getattr(self, name)}: choose a share from 0 to 1")

    def perceive(self, scene: Scene, rng: Random) -> Scene:
        """With one state of `rng`, what a describer of less recall sees is among what one of more recall sees."""
        seen = []
        for thing in scene.objects:
            own = Random(rng.getrandbits(64))  # the same draws for each object, whatever befell those before it
            if own.random() < self.recall:
                seen.append(self._mistaken(thing, scene, own))
        for _ in scene.objects:
            own = Random(rng.getrandbits(64))
            if own.random() < self.invented and (thing := _invented(scene, [*scene.objects, *seen], own)):
                seen.append(thing)
        return replace(scene, objects=tuple(seen))

    def _mistaken(self, thing: Object, scene: Scene, rng: Random) -> Object:
        changes: dict[str, str] = {}
        for name in ATTRIBUTES:
            others = [value for value in scene.world.values(name) if value != getattr(thing, name)]
            if rng.random() < self.wrong:
                changes[name] = rng.choice(others)
        return replace(thing, **changes)  # type: ignore[arg-type]


def _invented(scene: Scene, others: list[Object], rng: Random) -> Object | None:
    """A thing of a shape and colour that no other has; None where there is no room to tell it of."""
    colours = colours_on(scene.background, scene.world)
    taken = {(thing.shape, thing.colour) for thing in others}
    for _ in range(20):
        shape, colour = rng.choice(scene.world.shapes), rng.choice(colours)
        if (shape, colour) not in taken:
            return place(shape, colour, rng.choice(scene.world.patterns), others, rng, scene.world)
    return None


def prose(perceived: Scene, rng: Random) -> str:
    """A description in sentences: each object, the background, and a few relations or counts."""
    return long_description(perceived, rng, sentences=1 + 2 * len(perceived.objects)).text


def listing(perceived: Scene) -> str:
    """The objects as a flattened list, always in the same words: "circle: red, striped, small, top left; ..."

    In the order of reading; the place is left out where people could differ.
    """
    in_order = sorted(perceived.objects, key=lambda thing: (round(thing.centre[1] * 3), thing.centre[0]))
    return "; ".join(_entry(thing) for thing in in_order) or "nothing"


def _entry(thing: Object) -> str:
    told = [thing.colour, thing.pattern, thing.size, place_of(thing)]
    return f"{thing.shape}: {', '.join(word for word in told if word)}"
