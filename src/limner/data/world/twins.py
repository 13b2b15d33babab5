"""Scenes that are hard to tell apart: twins that differ in one fact, and different scenes with one description."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from limner.core.errors import InputError
from limner.data.world.captions import Caption, say
from limner.data.world.facts import Count, Exists, Fact, kind_of
from limner.data.world.sampling import CONTRAST, WORDS, colours_on, finish_scene, fits, near, place, sample_background
from limner.data.world.scene import Background, Object, Scene
from limner.data.world.worlds import SHADES

_TRIES = 60
_LARGER = 1.9  # how much larger a large object is than a small one


@dataclass(frozen=True, slots=True)
class Twin:
    """A scene like another but for one fact."""

    scene: Scene
    changed: str
    """One of TWIN_CHANGES."""
    objects: tuple[int, ...]
    """Positions of the objects that differ: none for background, texture and word, two for a swap."""


def twin(scene: Scene, rng: Random, changed: str | None = None) -> Twin | None:
    """The scene with another value of one attribute of one object, of the background or the word, or with two
    objects' places swapped; None where this change is not possible here (no word, no second object, no room).

    `changed` is one of TWIN_CHANGES (else InputError); None: any that is possible.
    """
    if changed is None:
        ways = [twin(scene, rng, name) for name in rng.sample(TWIN_CHANGES, len(TWIN_CHANGES))]
        return next((way for way in ways if way is not None), None)
    if changed not in TWIN_CHANGES:
        raise InputError(f"a twin that differs in {changed!r}: choose {', '.join(TWIN_CHANGES)}")
    for _ in range(_TRIES):
        positions: tuple[int, ...] = ()
        if changed in _OBJECT_CHANGES:
            positions = (rng.randrange(len(scene.objects)),)
            other = _with_object(scene, positions[0], _OBJECT_CHANGES[changed](scene.objects[positions[0]], scene, rng))
        elif changed == "swap":
            positions = tuple(rng.sample(range(len(scene.objects)), 2)) if len(scene.objects) > 1 else ()
            other = _swapped(scene, *positions) if positions else None
        elif changed == "word":
            other = _other_word(scene, rng)
        else:
            other = _other_ground(scene, changed, rng)
        if other is not None:
            return Twin(other, changed, positions)
    return None


def near_duplicates(scene: Scene, rng: Random, count: int, language: str = "en") -> tuple[Caption, list[Scene]]:
    """A caption that tells the shape and colour of every object, and `count` further scenes that it describes as well.

    They have objects of the same shapes and colours in other places, patterns, sizes and tones, on other backgrounds.
    """
    kinds = dict.fromkeys(kind_of(thing, "colour", "shape") for thing in scene.objects)
    facts: list[Fact] = []
    for kind in kinds:
        number = len(kind.among(scene))
        facts.append(Exists(kind) if number == 1 else Count(kind, number))
    caption = say(facts, scene, language=language, style="full", voice=rng.getrandbits(32))
    scenes: list[Scene] = []
    while len(scenes) < count:
        other = _placed_anew(scene, rng)
        if other is not None:
            scenes.append(other)
    return caption, scenes


def _placed_anew(scene: Scene, rng: Random) -> Scene | None:
    world = scene.world
    if world.grid is not None:  # anywhere, at a size of which as many find room
        world = replace(world, grid=None, scale=max(0.2, 1 / world.grid))
    background = sample_background(rng, world)
    if not {thing.colour for thing in scene.objects} <= set(colours_on(background, world)):
        return None
    objects: list[Object] = []
    for thing in rng.sample(scene.objects, len(scene.objects)):
        placed = place(thing.shape, thing.colour, rng.choice(world.patterns), objects, rng, world)
        if placed is None:
            return None
        objects.append(placed)
    return finish_scene(objects, background, rng, world)


def _colour(thing: Object, scene: Scene, rng: Random) -> Object | None:
    choices = [colour for colour in colours_on(scene.background, scene.world) if colour != thing.colour]
    colour = rng.choice(choices)
    return replace(thing, colour=colour, rgb=near(rng.choice(SHADES[colour]), rng))


def _other_value(name: str) -> Callable[[Object, Scene, Random], Object | None]:
    def change(thing: Object, scene: Scene, rng: Random) -> Object | None:
        return replace(
            thing, **{name: rng.choice([value for value in scene.world.values(name) if value != getattr(thing, name)])}
        )

    return change


def _size(thing: Object, scene: Scene, rng: Random) -> Object | None:
    size, factor = ("large", _LARGER) if thing.size == "small" else ("small", 1 / _LARGER)
    return replace(thing, size=size, extent=thing.extent * factor)


_OBJECT_CHANGES: dict[str, Callable[[Object, Scene, Random], Object | None]] = {
    "shape": _other_value("shape"),
    "colour": _colour,
    "pattern": _other_value("pattern"),
    "size": _size,
}
TWIN_CHANGES = (*_OBJECT_CHANGES, "swap", "background", "texture", "word")


def _with_object(scene: Scene, position: int, thing: Object | None) -> Scene | None:
    """The scene with this object in that position, where it fits."""
    if thing is None:
        return None
    others = [other.box for other in (*scene.objects[:position], *scene.objects[position + 1 :])]
    if not fits(thing.box, others + ([scene.word.box] if scene.word else [])):
        return None
    return replace(scene, objects=(*scene.objects[:position], thing, *scene.objects[position + 1 :]))


def _swapped(scene: Scene, first: int, second: int) -> Scene | None:
    a, b = scene.objects[first], scene.objects[second]
    if (a.shape, a.colour) == (b.shape, b.colour):
        return None
    objects = list(scene.objects)
    objects[first], objects[second] = replace(a, centre=b.centre), replace(b, centre=a.centre)
    taken = [scene.word.box] if scene.word else []
    for thing in objects:
        if not fits(thing.box, taken):
            return None
        taken.append(thing.box)
    return replace(scene, objects=tuple(objects))


def _other_word(scene: Scene, rng: Random) -> Scene | None:
    if scene.word is None:
        return None
    word = replace(scene.word, text=rng.choice([text for text in WORDS if text != scene.word.text]))
    return replace(scene, word=word) if fits(word.box, [thing.box for thing in scene.objects]) else None


def _other_ground(scene: Scene, changed: str, rng: Random) -> Scene | None:
    """Another colour from which everything in the scene stands out, or another texture."""
    ground, world = scene.background, scene.world
    if changed == "texture":
        texture = rng.choice([name for name in world.textures if name != ground.texture])
        return replace(scene, background=replace(ground, texture=texture))
    colour = rng.choice([name for name in world.grounds if name != ground.colour])
    rgb = near(rng.choice(SHADES[colour]), rng)
    drawn = [thing.rgb for thing in scene.objects] + ([scene.word.rgb] if scene.word else [])
    if min(math.dist(rgb, other) for other in drawn) < CONTRAST:
        return None
    return replace(scene, background=Background(colour, ground.texture, rgb))
