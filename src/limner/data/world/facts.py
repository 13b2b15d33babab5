"""Statements about a scene, their truth, and the objects of which they speak.

`truth(scene)` is True, False, or None where people could differ (an object up and to the left of another: is it
above?). Captions only say what is True; wrong captions only what is False. `objects(scene)` are the positions in
`Scene.objects` of all that the statement's descriptions fit, in the order in which they are named.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from limner.data.world.scene import CLEAR, Direction, Object, Place, Scene, ahead, clearly, lies


@dataclass(frozen=True, slots=True)
class Kind:
    """A description that objects match; None: anything goes."""

    shape: str | None = None
    colour: str | None = None
    pattern: str | None = None
    size: str | None = None

    def matches(self, thing: Object) -> bool:
        return (
            self.shape in (None, thing.shape)
            and self.colour in (None, thing.colour)
            and self.pattern in (None, thing.pattern)
            and self.size in (None, thing.size)
        )

    def among(self, scene: Scene) -> list[Object]:
        return [thing for thing in scene.objects if self.matches(thing)]

    def positions(self, scene: Scene) -> tuple[int, ...]:
        return tuple(position for position, thing in enumerate(scene.objects) if self.matches(thing))

    def but(self, **changes: str | None) -> Kind:
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Exists:
    """At least one."""

    kind: Kind

    def truth(self, scene: Scene) -> bool | None:
        return bool(self.kind.among(scene))

    def objects(self, scene: Scene) -> tuple[int, ...]:
        return self.kind.positions(scene)


@dataclass(frozen=True, slots=True)
class Count:
    """Exactly so many; 0: none."""

    kind: Kind
    number: int

    def truth(self, scene: Scene) -> bool | None:
        return len(self.kind.among(scene)) == self.number

    def objects(self, scene: Scene) -> tuple[int, ...]:
        return self.kind.positions(scene)


@dataclass(frozen=True, slots=True)
class Located:
    """At least one in that ninth of the picture."""

    kind: Kind
    place: Place

    def truth(self, scene: Scene) -> bool | None:
        found = [lies(thing, self.place) for thing in self.kind.among(scene)]
        return True if True in found else None if None in found else False

    def objects(self, scene: Scene) -> tuple[int, ...]:
        return tuple(i for i in self.kind.positions(scene) if lies(scene.objects[i], self.place))


@dataclass(frozen=True, slots=True)
class Related:
    """Some `subject` lies in that direction from some `other`."""

    subject: Kind
    direction: Direction
    other: Kind

    def truth(self, scene: Scene) -> bool | None:
        pairs = [(a, b) for a in self.subject.among(scene) for b in self.other.among(scene) if a is not b]
        if any(clearly(a, self.direction, b) for a, b in pairs):
            return True
        return False if all(ahead(b, self.direction, a) >= CLEAR for a, b in pairs) else None

    def objects(self, scene: Scene) -> tuple[int, ...]:
        pairs = [
            (a, b)
            for a in self.subject.positions(scene)
            for b in self.other.positions(scene)
            if a != b and clearly(scene.objects[a], self.direction, scene.objects[b])
        ]
        return tuple(dict.fromkeys([a for a, _ in pairs] + [b for _, b in pairs]))


@dataclass(frozen=True, slots=True)
class Backdrop:
    """The background's colour, and maybe its texture."""

    colour: str
    texture: str | None = None

    def truth(self, scene: Scene) -> bool | None:
        background = scene.background
        return background.colour == self.colour and self.texture in (None, background.texture)

    def objects(self, scene: Scene) -> tuple[int, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Written:
    """This word is written in the picture."""

    text: str

    def truth(self, scene: Scene) -> bool | None:
        return scene.word is not None and scene.word.text == self.text

    def objects(self, scene: Scene) -> tuple[int, ...]:
        return ()


Fact: TypeAlias = Exists | Count | Located | Related | Backdrop | Written


def kind_of(thing: Object, *attributes: str) -> Kind:
    """The description of an object by these attributes only ("shape", "colour", "pattern", "size")."""
    return Kind(**{name: getattr(thing, name) for name in attributes})
