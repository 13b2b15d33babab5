"""Leaves of several species with signs of several diseases, and the signs in words: few concepts, many pictures each.

A concept is a species with a disease; its number is `species * len(DISEASES) + disease`. Leaves of one concept differ
in tilt, size, tone, background and where each spot lies; descriptions of it differ in wording.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw

from limner.core.errors import InputError
from limner.data.world.draw import FINE, check_size
from limner.data.world.outlines import Point
from limner.data.world.sampling import near
from limner.data.world.worlds import Rgb


@dataclass(frozen=True, slots=True)
class Species:
    name: str
    width: float
    """Of the leaf, of its length."""
    widest: float
    """Where it is widest: 0 at the stalk to 1 at the tip."""
    teeth: int
    """Along each edge."""
    depth: float
    """Of the teeth, of the width."""
    words: tuple[str, ...]
    """Ways to describe the outline."""


@dataclass(frozen=True, slots=True)
class Disease:
    name: str
    tone: str
    rgb: Rgb
    radius: float
    """Of a spot, of the leaf's length."""
    density: int
    """Spots on a leaf, about."""
    ringed: bool
    """A pale ring around each spot."""
    mouldy: bool
    """Spots are fuzzy, of scattered specks."""


SPECIES = (
    Species("lanceleaf", 0.3, 0.45, 0, 0.0, ("narrow", "long and slender", "lance-shaped")),
    Species("roundleaf", 0.85, 0.5, 0, 0.0, ("round", "almost circular", "disc-like")),
    Species("heartleaf", 0.8, 0.3, 0, 0.0, ("heart-shaped", "broad at the stalk", "wide below and pointed")),
    Species("sawleaf", 0.5, 0.45, 11, 0.16, ("saw-edged", "finely toothed", "with a serrated edge")),
    Species("lobeleaf", 0.7, 0.5, 4, 0.45, ("lobed", "deeply lobed", "with rounded lobes")),
    Species("spoonleaf", 0.55, 0.72, 0, 0.0, ("spoon-shaped", "widest near the tip", "broad at the end")),
)
DISEASES = (
    Disease("brown spot", "brown", (110, 66, 30), 0.05, 9, False, False),
    Disease("target spot", "brown", (110, 66, 30), 0.07, 6, True, False),
    Disease("black speck", "black", (24, 22, 24), 0.02, 34, False, False),
    Disease("black ring", "black", (24, 22, 24), 0.06, 7, True, False),
    Disease("rust", "orange", (222, 112, 26), 0.022, 36, False, False),
    Disease("orange blotch", "orange", (222, 112, 26), 0.1, 4, False, False),
    Disease("yellow mottle", "yellow", (236, 214, 60), 0.06, 10, False, False),
    Disease("white mould", "white", (240, 240, 236), 0.1, 5, False, True),
    Disease("grey mould", "grey", (150, 150, 150), 0.1, 5, False, True),
    Disease("powdery mildew", "white", (240, 240, 236), 0.045, 16, False, True),
)
CONCEPTS = len(SPECIES) * len(DISEASES)
_HALO = (222, 220, 130)
_GROUNDS: tuple[Rgb, ...] = ((232, 228, 220), (200, 206, 214), (92, 78, 66), (60, 66, 74))
_TONES = {
    "brown": ("brown", "tan to brown", "chocolate-coloured"),
    "black": ("black", "very dark", "soot-coloured"),
    "orange": ("orange", "rust-coloured", "reddish yellow"),
    "yellow": ("yellow", "yellowish", "pale yellow"),
    "white": ("white", "whitish", "chalky"),
    "grey": ("grey", "ash-coloured", "greyish"),
}
_SPREAD = {"few": ("a few", "some", "scattered"), "many": ("many", "numerous", "dense")}


@dataclass(frozen=True, slots=True)
class Leaf:
    concept: int
    seed: int
    """Of where the spots lie."""
    angle: float
    """Tilt in radians."""
    length: float
    """Of the picture's side."""
    rgb: Rgb
    ground: Rgb

    @property
    def species(self) -> Species:
        return SPECIES[self.concept // len(DISEASES)]

    @property
    def disease(self) -> Disease:
        return DISEASES[self.concept % len(DISEASES)]


def leaf_at(seed: int, concept: int, index: int) -> Leaf:
    """Leaf `index` of a concept (0 to CONCEPTS - 1, else InputError) in sequence `seed`."""
    if not 0 <= concept < CONCEPTS:
        raise InputError(f"leaf concept {concept}: choose 0 to {CONCEPTS - 1}")
    rng = Random(f"leaf {seed}/{concept}/{index}")
    green = rng.choice(((58, 132, 52), (84, 148, 60), (44, 108, 56)))
    return Leaf(
        concept, rng.getrandbits(32), rng.uniform(-0.7, 0.7), rng.uniform(0.7, 0.9), near(green, rng),
        near(rng.choice(_GROUNDS), rng),
    )  # fmt: skip


def draw_leaf(leaf: Leaf, size: int = 160) -> Image.Image:
    """The leaf as an RGB picture of `size` x `size` pixels (16 to 2048, else InputError)."""
    check_size(size)
    side = size * FINE
    outline = [_on_picture(point, leaf, side) for point in _unit_leaf(leaf.species)]
    blade = Image.new("L", (side, side))
    ImageDraw.Draw(blade).polygon(outline, fill=255)
    picture = Image.new("RGB", (side, side), leaf.ground)
    picture.paste(leaf.rgb, (0, 0), blade)
    vein = tuple(round(level * 0.72) for level in leaf.rgb)
    line = [_on_picture(point, leaf, side) for point in ((0.0, -0.5), (0.0, 0.42))]
    ImageDraw.Draw(picture).line(line, fill=vein, width=max(1, side // 60))
    _draw_spots(picture, blade, leaf)
    return picture.reduce(FINE)


def leaf_label(leaf: Leaf) -> str:
    """The concept's name: "sawleaf with rust"."""
    return f"{leaf.species.name} with {leaf.disease.name}"


def symptoms(leaf: Leaf, rng: Random, *, named: bool = False) -> str:
    """Two or three sentences about the outline and the signs, worded anew each time; `named`: with the names, too."""
    species, disease = leaf.species, leaf.disease
    shape, tone = rng.choice(species.words), rng.choice(_TONES[disease.tone])
    spread = rng.choice(_SPREAD["many" if disease.density > 12 else "few"])
    extent = "tiny" if disease.radius < 0.03 else "small" if disease.radius < 0.055 else "large"
    kind = rng.choice(("fuzzy patches", "powdery patches", "mouldy areas") if disease.mouldy else ("spots", "lesions"))
    ring = rng.choice((", each with a pale ring", " inside a yellowish halo", " with a light margin"))
    outline = rng.choice(("The leaf is {}.", "The outline of the leaf is {}.", "Seen here: a leaf that is {}."))
    signs = f"{spread} {extent} {tone} {kind}{ring if disease.ringed else ''}"
    sign = rng.choice(("It shows {}.", "Its blade carries {}.", "On the surface there are {}.", "One finds {} on it."))
    sentences = [outline.format(shape if not shape.startswith("with ") else f"one {shape}"), sign.format(signs)]
    if named:
        sentences.append(rng.choice(("{} with {}.", "A {} that has {}.")).format(species.name, disease.name))
    return " ".join(sentences)


def _unit_leaf(species: Species) -> list[Point]:
    """The outline with the stalk's end at (0, 0.5) and the tip at (0, -0.5)."""
    edge = []
    for i in range(97):
        along = i / 96
        # a hump that is 0 at both ends and 1 at `widest`
        bend = math.log(0.5) / math.log(species.widest)
        half = species.width / 2 * math.sin(math.pi * along**bend) ** 0.8
        wave = abs(math.sin(math.pi * species.teeth * along)) if species.teeth else 0.0
        edge.append((half * (1 - species.depth * wave), 0.5 - along))
    return edge + [(-x, y) for x, y in reversed(edge)]


def _on_picture(point: Point, leaf: Leaf, side: int) -> Point:
    cos, sin = math.cos(leaf.angle) * leaf.length * side, math.sin(leaf.angle) * leaf.length * side
    return side / 2 + point[0] * cos - point[1] * sin, side / 2 + point[0] * sin + point[1] * cos


def _draw_spots(picture: Image.Image, blade: Image.Image, leaf: Leaf) -> None:
    """The disease's spots at random places of the blade."""
    rng, disease, species = Random(leaf.seed), leaf.disease, leaf.species
    side = picture.width
    spots, halos = Image.new("L", picture.size), Image.new("L", picture.size)
    for _ in range(round(disease.density * rng.uniform(0.8, 1.25))):
        along = rng.uniform(-0.42, 0.42)
        across = rng.uniform(-0.42, 0.42) * species.width * math.cos(math.pi * along)
        x, y = _on_picture((across, along), leaf, side)
        radius = disease.radius * rng.uniform(0.75, 1.25) * leaf.length * side
        ImageDraw.Draw(spots).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
        halo = 1.5 * radius
        ImageDraw.Draw(halos).ellipse((x - halo, y - halo, x + halo, y + halo), fill=255)
    if disease.ringed:
        picture.paste(_HALO, (0, 0), ImageChops.multiply(halos, blade))
    if disease.mouldy:
        cells = 72
        specks = np.frombuffer(rng.randbytes(cells**2), np.uint8).reshape(cells, cells) > 110
        fuzz = Image.fromarray(specks.astype(np.uint8) * 255).resize(picture.size, Image.Resampling.BILINEAR)
        spots = ImageChops.multiply(spots, fuzz)
    picture.paste(disease.rgb, (0, 0), ImageChops.multiply(spots, blade))
