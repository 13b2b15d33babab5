"""One thing seen many times: fixed in shape, colours and pattern, in ever other views."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.data.world.captions import Caption, say
from limner.data.world.draw import draw, second_tone
from limner.data.world.facts import Exists, kind_of
from limner.data.world.masks import masks
from limner.data.world.sampling import CONTRAST, near, sample_background
from limner.data.world.scene import Finish, Object, Scene
from limner.data.world.worlds import SHADES, WORLD_A, Rgb, World


@dataclass(frozen=True, slots=True)
class Instance:
    """A thing that is itself: no other has the same proportions, colours and pattern."""

    shape: str
    colour: str
    pattern: str
    rgb: Rgb
    finish: Finish


@dataclass(frozen=True, slots=True)
class View:
    """How an instance was seen once."""

    scene: Scene
    """The thing, alone on a background."""
    light: tuple[float, float, float]
    """By which red, green and blue are multiplied."""
    window: tuple[float, float, float]
    """Left, top and side of the square that was cut out of the scene's picture (relative); it may cut the thing."""


def instance_at(seed: int, index: int, world: World = WORLD_A) -> Instance:
    """Instance number `index` of sequence `seed`."""
    rng = Random(f"instance {seed}/{index}")
    colour = rng.choice(world.colours)
    rgb = near(rng.choice(SHADES[colour]), rng)
    finish = Finish(
        aspect=rng.uniform(0.6, 1),
        repeats=rng.uniform(2.5, 6),
        turn=rng.uniform(0, math.pi),
        phase=(rng.random(), rng.random()),
        ink=near(_mixed(second_tone(rgb), SHADES[rng.choice(world.colours)][0], rng.uniform(0, 0.5)), rng),
    )
    return Instance(rng.choice(world.shapes), colour, rng.choice(world.patterns), rgb, finish)


def view_of(instance: Instance, rng: Random, world: World = WORLD_A) -> View:
    """Another look at it: elsewhere, at any tilt, nearer or farther, on another background, in other light."""
    while True:
        background = sample_background(rng, world)
        if math.dist(background.rgb, instance.rgb) >= CONTRAST:
            break
    extent, side = rng.uniform(0.36, 0.72), rng.uniform(0.75, 1)
    centre = (rng.uniform(extent / 2, 1 - extent / 2), rng.uniform(extent / 2, 1 - extent / 2))
    thing = Object(
        instance.shape, instance.colour, instance.pattern, "large", centre, extent, rng.uniform(-math.pi, math.pi),
        instance.rgb, instance.finish,
    )  # fmt: skip
    level = rng.uniform(0.7, 1.25)
    light = (level * rng.uniform(0.92, 1.08), level * rng.uniform(0.92, 1.08), level * rng.uniform(0.92, 1.08))
    scene = Scene((thing,), background, rng.getrandbits(32), world=world)
    left, top = ((1 - side) * min(1, max(0, level + rng.uniform(-0.3, 0.3))) for level in centre)
    return View(scene, light, (left, top, side))


def view_at(seed: int, index: int, number: int, world: World = WORLD_A) -> View:
    """View `number` of instance `index` of sequence `seed`."""
    return view_of(instance_at(seed, index, world), Random(f"view {seed}/{index}/{number}"), world)


def draw_view(view: View, size: int = 160) -> Image.Image:
    """The view as an RGB picture of `size` x `size` pixels (16 to 1536)."""
    whole, left, top = _cut(view, size)
    picture = draw(view.scene, whole).crop((left, top, left + size, top + size))
    return picture.point([min(255, round(level * gain)) for gain in view.light for level in range(256)])


def view_mask(view: View, size: int = 160) -> npt.NDArray[np.bool_]:
    """(size, size): where the thing is in the picture of the view."""
    whole, left, top = _cut(view, size)
    return masks(view.scene, whole)[0, top : top + size, left : left + size]


def coarse_caption(view: View, language: str = "en") -> Caption:
    """ "a striped blue shape": what it shares with many other instances, always in the same words."""
    kind = kind_of(view.scene.objects[0], "pattern", "colour")
    return say([Exists(kind)], view.scene, language=language, style="coarse", voice=None)


def _cut(view: View, size: int) -> tuple[int, int, int]:
    """Side of the whole picture, left and top of the window, in pixels."""
    left, top, side = view.window
    whole = round(size / side)
    return whole, min(round(left * whole), whole - size), min(round(top * whole), whole - size)


def _mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a + share * (b - a)) for a, b in zip(one, other, strict=True))
    return red, green, blue
