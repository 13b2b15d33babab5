"""From a scene to pixels."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops, ImageDraw

from limner.core.errors import InputError
from limner.data.world.glyphs import bitmap
from limner.data.world.scene import Background, Object, Scene, Word
from limner.data.world.worlds import Rgb

FINE = 4  # edges are drawn this many times larger and averaged: 17 steps of grey
_GRAIN = 64  # the grain has so many cells along a side whatever the picture's size, so that a scene stays itself
_SMOOTH = 256  # smooth textures are computed at this size and scaled


def draw(scene: Scene, size: int = 160) -> Image.Image:
    """The scene as an RGB picture of `size` x `size` pixels (16 to 2048, else InputError)."""
    check_size(size)
    picture = _draw_background(scene.background, scene.seed, size)
    if scene.word is not None:
        picture.paste(scene.word.rgb, *_letters(scene.word, size))
    for thing in scene.objects:
        corner, coverage = object_coverage(thing, size)
        picture.paste(thing.rgb, corner, coverage)
        if thing.pattern != "solid":
            ink = thing.finish.ink if thing.finish else second_tone(thing.rgb)
            picture.paste(ink, corner, ImageChops.multiply(coverage, _pattern(thing, size, corner, coverage.size)))
    return picture


def check_size(size: int) -> None:
    if not 16 <= size <= 2048:
        raise InputError(f"picture size {size}: choose 16 to 2048 pixels")


def object_coverage(thing: Object, size: int) -> tuple[tuple[int, int], Image.Image]:
    """Where the object's patch begins (x, y in pixels), and how much of each pixel it covers (0 to 255)."""
    left, top, right, bottom = thing.box
    corner = math.floor(left * size), math.floor(top * size)
    fine = Image.new("L", ((int(right * size) + 1 - corner[0]) * FINE, (int(bottom * size) + 1 - corner[1]) * FINE))
    pen = ImageDraw.Draw(fine)
    scale, shift = size * FINE, (corner[0] * FINE + 0.5, corner[1] * FINE + 0.5)  # a pixel's centre is at its half
    for loop, ink in zip(thing.outline, (255, 0), strict=False):
        pen.polygon([(x * scale - shift[0], y * scale - shift[1]) for x, y in loop], fill=ink)
    return corner, fine.reduce(FINE)


def second_tone(rgb: Rgb) -> Rgb:
    """The usual colour of marks: much lighter, or much darker where the colour itself is light."""
    luminance = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
    target = 0 if luminance > 175 else 255
    red, green, blue = (round(level + 0.72 * (target - level)) for level in rgb)
    return red, green, blue


def _pattern(thing: Object, size: int, corner: tuple[int, int], patch: tuple[int, int]) -> Image.Image:
    """How much of each pixel of the patch the marks cover."""
    scale = size * FINE
    x, y = (
        np.arange(length * FINE, dtype=np.float32) + (begin * FINE + 0.5)
        for length, begin in zip(patch, corner, strict=True)
    )
    if thing.finish is None:  # the phase: where the pixels lie from the box's corner, in repeats of the pattern
        left, top = thing.box[:2]
        x, y = ((line - edge * scale) * (4 / (thing.extent * scale)) for line, edge in ((x, left), (y, top)))
        across, down = x[None, :], y[:, None]
    else:
        finish = thing.finish
        turn = thing.angle + finish.turn
        right, under = (
            (line - c * scale) / (thing.extent * scale) for line, c in zip((x, y), thing.centre, strict=True)
        )
        cos, sin = math.cos(turn) * finish.repeats, math.sin(turn) * finish.repeats
        across = right[None, :] * cos + under[:, None] * sin + finish.phase[0]
        down = under[:, None] * cos - right[None, :] * sin + finish.phase[1]
    return Image.fromarray(_marks(thing.pattern, across % 1, down % 1).astype(np.uint8) * 255).reduce(FINE)


def _marks(pattern: str, x: npt.NDArray[np.float32], y: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """Where the marks of the pattern are; x and y run from 0 to 1 in each repeat. Less than half of the area."""
    match pattern:
        case "striped":
            marks = (x + y) % 1 < 0.42
        case "dotted":
            marks = (x - 0.5) ** 2 + (y - 0.5) ** 2 < 0.27**2
        case "checkered":  # fields a little smaller than half, so that the object's own colour prevails
            marks = ((x < 0.5) == (y < 0.5)) & (x % 0.5 < 0.44) & (y % 0.5 < 0.44)
        case "zigzag":
            marks = (y + np.abs(x - 0.5)) % 1 < 0.42
        case "latticed":
            marks = (x < 0.2) | (y < 0.2)
        case "ringed":
            distance = (x - 0.5) ** 2 + (y - 0.5) ** 2
            marks = (distance > 0.2**2) & (distance < 0.42**2)
        case _:
            raise InputError(f"no pattern is named {pattern!r}")
    return np.asarray(marks, bool)


def _letters(word: Word, size: int) -> tuple[tuple[int, int], Image.Image]:
    """Where the word's patch begins, and how much of each pixel its ink covers."""
    left, top, right, bottom = word.box
    corner = math.floor(left * size), math.floor(top * size)
    ink = np.pad(bitmap(word.text), ((0, 1), (0, 1)))  # the last row and column stand for all that is outside
    unit = word.height * size * FINE / 7
    rows, columns = (
        np.floor((np.arange((int(end * size) + 1 - begin) * FINE) + 0.5 - (start * size - begin) * FINE) / unit)
        for start, end, begin in ((top, bottom, corner[1]), (left, right, corner[0]))
    )
    rows[(rows < 0) | (rows >= 7)] = 7
    columns[(columns < 0) | (columns >= ink.shape[1] - 1)] = ink.shape[1] - 1
    fine = ink[rows.astype(int)][:, columns.astype(int)]
    return corner, Image.fromarray(fine.astype(np.uint8) * 255).reduce(FINE)


def _draw_background(background: Background, seed: int, size: int) -> Image.Image:
    picture = Image.new("RGB", (size, size), background.rgb)
    if background.texture == "plain":
        return picture
    bright = sum(background.rgb) > 3 * 128  # shade towards the middle greys, so that the colour keeps its name
    tone: Rgb = tuple(round(level * 0.8) if bright else round(level + 0.2 * (255 - level)) for level in background.rgb)  # type: ignore[assignment]
    picture.paste(tone, (0, 0), _blend(background.texture, Random(seed), size))
    return picture


def _blend(texture: str, rng: Random, size: int) -> Image.Image:
    """How much of the second tone each pixel of the background has (0 to 255)."""
    match texture:
        case "gradient":
            return Image.linear_gradient("L").rotate(90 * rng.randrange(4)).resize((size, size))
        case "grainy":
            return Image.frombytes("L", (_GRAIN, _GRAIN), rng.randbytes(_GRAIN**2)).resize((size, size))
        case "cloudy":
            return Image.frombytes("L", (6, 6), rng.randbytes(36)).resize((size, size), Image.Resampling.BICUBIC)
        case "tiled":
            dark = (np.indices((8, 8)).sum(0) + rng.randrange(2)) % 2
            return Image.fromarray(dark.astype(np.uint8) * 255).resize((size, size), Image.Resampling.BOX)
        case "rippled":
            way, phase = rng.uniform(0.3, 1.2), rng.uniform(0, 2 * math.pi)
            line = np.linspace(0, 14 * math.pi, _SMOOTH, dtype=np.float32)
            waves = np.sin(line[None, :] * math.cos(way) + line[:, None] * math.sin(way) + phase)
            return Image.fromarray((waves * 127.5 + 127.5).astype(np.uint8)).resize((size, size))
    raise InputError(f"no texture is named {texture!r}")
