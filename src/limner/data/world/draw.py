"""From a scene to pixels: the picture, and the mask of each object."""

from __future__ import annotations

from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw

from limner.core.errors import InputError
from limner.data.world.scene import Background, Object, Rgb, Scene

_FINE = 4  # edges are drawn this many times larger and averaged: 17 steps of grey
_GRAIN = 64  # the grain has so many cells along a side whatever the picture's size, so that a scene stays itself


def draw(scene: Scene, size: int = 160) -> Image.Image:
    """The scene as an RGB picture of `size` x `size` pixels (16 to 2048, else InputError)."""
    check_size(size)
    picture = _draw_background(scene.background, scene.seed, size)
    for thing in scene.objects:
        corner, coverage, marks = _coverage(thing, size)
        picture.paste(thing.rgb, corner, coverage)
        if marks is not None:
            picture.paste(_second_tone(thing.rgb), corner, ImageChops.multiply(coverage, marks))
    return picture


def masks(scene: Scene, size: int = 160) -> npt.NDArray[np.bool_]:
    """(objects, size, size): where each object covers at least half of the pixel."""
    check_size(size)
    covered = np.zeros((len(scene.objects), size, size), bool)
    for mask, thing in zip(covered, scene.objects, strict=True):
        (left, top), coverage, _ = _coverage(thing, size)
        patch = np.asarray(coverage) >= 128
        mask[top : top + patch.shape[0], left : left + patch.shape[1]] = patch[: size - top, : size - left]
    return covered


def check_size(size: int) -> None:
    if not 16 <= size <= 2048:
        raise InputError(f"picture size {size}: choose 16 to 2048 pixels")


def _coverage(thing: Object, size: int) -> tuple[tuple[int, int], Image.Image, Image.Image | None]:
    """Where the object's patch begins (pixels), how much of each pixel it covers, and its pattern (None: solid)."""
    left, top, right, bottom = thing.box
    corner = int(left * size), int(top * size)
    patch = (int(right * size) + 1 - corner[0]) * _FINE, (int(bottom * size) + 1 - corner[1]) * _FINE
    fine = Image.new("L", patch)
    pen = ImageDraw.Draw(fine)
    scale, shift = size * _FINE, (corner[0] * _FINE + 0.5, corner[1] * _FINE + 0.5)  # a pixel's centre is at its half
    for loop, ink in zip(thing.outline, (255, 0), strict=False):
        pen.polygon([(x * scale - shift[0], y * scale - shift[1]) for x, y in loop], fill=ink)
    coverage = fine.reduce(_FINE)
    if thing.pattern == "solid":
        return corner, coverage, None
    # the pattern's phase: where the patch's pixels lie from the box's corner, in repeats of the pattern
    repeats = [
        (np.arange(length, dtype=np.float32) + origin - edge * scale) * (4 / (thing.extent * scale)) % 1
        for length, origin, edge in zip(patch, shift, (left, top), strict=True)
    ]
    marks = Image.fromarray(_marks(thing.pattern, *repeats).astype(np.uint8) * 255)
    return corner, coverage, marks.reduce(_FINE)


def _marks(pattern: str, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """(len(y), len(x)): where the marks of the pattern are; x and y run from 0 to 1 in each repeat."""
    rows = y[:, None]
    if pattern == "striped":
        marks = (x + rows) % 1 < 0.42
    elif pattern == "checkered":  # fields a little smaller than half, so that the object's own colour prevails
        marks = ((x < 0.5) == (rows < 0.5)) & (x % 0.5 < 0.44) & (rows % 0.5 < 0.44)
    else:
        marks = (x - 0.5) ** 2 + (rows - 0.5) ** 2 < 0.27**2
    return np.asarray(marks, bool)


def _second_tone(rgb: Rgb) -> Rgb:
    """The colour of the marks: much lighter, or much darker where the colour itself is light."""
    luminance = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    target = 0 if luminance > 175 else 255
    red, green, blue = (round(level + 0.72 * (target - level)) for level in rgb)
    return red, green, blue


def _draw_background(background: Background, seed: int, size: int) -> Image.Image:
    picture = Image.new("RGB", (size, size), background.rgb)
    if background.texture == "plain":
        return picture
    bright = sum(background.rgb) > 3 * 128  # shade towards the middle greys, so that the colour keeps its name
    tone: Rgb = tuple(round(level * 0.8) if bright else round(level + 0.2 * (255 - level)) for level in background.rgb)  # type: ignore[assignment]
    rng = Random(seed)
    if background.texture == "gradient":
        blend = Image.linear_gradient("L").rotate(90 * rng.randrange(4)).resize((size, size))
    else:
        blend = Image.frombytes("L", (_GRAIN, _GRAIN), rng.randbytes(_GRAIN**2)).resize((size, size))
    picture.paste(tone, (0, 0), blend)
    return picture
