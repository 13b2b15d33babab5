"""Statements about a scene, and whether they are true of it.

`truth(scene)` is True, False, or None where people could differ (an object up and to the left of another: is it
above?). Captions only say what is True; wrong captions only what is False.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias

from limner.data.world.scene import CLEAR, Direction, Object, Scene, ahead, clearly


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

    def but(self, **changes: str | None) -> Kind:
        return replace(self, **changes)


@dataclass(frozen=True, slots=True)
class Exists:
    """At least one."""

    kind: Kind

    def truth(self, scene: Scene) -> bool | None:
        return bool(self.kind.among(scene))


@dataclass(frozen=True, slots=True)
class Count:
    """Exactly so many; 0: none."""

    kind: Kind
    number: int

    def truth(self, scene: Scene) -> bool | None:
        return len(self.kind.among(scene)) == self.number


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


@dataclass(frozen=True, slots=True)
class Backdrop:
    """The background's colour, and maybe its texture."""

    colour: str
    texture: str | None = None

    def truth(self, scene: Scene) -> bool | None:
        background = scene.background
        return background.colour == self.colour and self.texture in (None, background.texture)


Fact: TypeAlias = Exists | Count | Related | Backdrop


def kind_of(thing: Object, *attributes: str) -> Kind:
    """The description of an object by these attributes only ("shape", "colour", "pattern", "size")."""
    return Kind(**{name: getattr(thing, name) for name in attributes})
