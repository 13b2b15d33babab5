"""Products as a shop lists them: each several times, with another photograph and another title every time.

Categories come in three sorts: in "picture" categories titles say hardly more than the category, in "title" categories
every listing shows the same icon, in "both" picture and title tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from PIL import Image

from limner.data.world.instances import Instance, View, draw_view, instance_at, view_of
from limner.data.world.sampling import near
from limner.data.world.scene import Background, Finish, Object, Scene
from limner.data.world.worlds import SHADES, WORLD_A

CATEGORIES: dict[str, tuple[str, ...]] = {
    "circle": ("plate", "dish"),
    "square": ("cushion", "pillow"),
    "triangle": ("pennant", "flag"),
    "star": ("ornament", "tree decoration"),
    "hexagon": ("wall tile", "tile"),
    "cross": ("bandage", "plaster"),
    "ring": ("bracelet", "bangle"),
    "heart": ("locket", "pendant"),
    "diamond": ("kite", "wind kite"),
    "crescent": ("lamp", "night light"),
}
"""What a thing of each shape is sold as: the category's name, and a synonym."""

_SYNONYMS = {
    "striped": ("striped", "with stripes", "stripy"),
    "dotted": ("dotted", "spotted", "polka dot"),
    "checkered": ("checkered", "chequered", "plaid"),
    "solid": ("plain", "solid", "single colour"),
    "red": ("red", "crimson"),
    "blue": ("blue", "azure"),
    "green": ("green", "emerald"),
    "yellow": ("yellow", "lemon"),
    "purple": ("purple", "violet"),
    "pink": ("pink", "rose"),
    "black": ("black", "jet black"),
    "white": ("white", "ivory"),
    "orange": ("orange", "tangerine"),
    "brown": ("brown", "chestnut"),
}
_MAKERS = ("Alba", "Brisk", "Corva", "Dunlin", "Ember", "Fjell", "Gruno", "Halden", "Iskra", "Juniper", "Korso", "Lumo")
_NOISE = (
    "new",
    "hot sale",
    "free shipping",
    "best price",
    "2024",
    "gift",
    "high quality",
    "limited",
    "original",
    "2 pcs",
)


@dataclass(frozen=True, slots=True)
class Product:
    number: int
    category: str
    told_by: Literal["picture", "title", "both"]
    instance: Instance
    maker: str
    model: str


@dataclass(frozen=True, slots=True)
class Listing:
    product: Product
    title: str
    view: View


def product_at(seed: int, number: int) -> Product:
    """Product `number` of shop `seed`."""
    instance = instance_at(seed, number)
    rng = Random(f"product {seed}/{number}")
    order = list(CATEGORIES)
    told_by: Literal["picture", "title", "both"] = ("both", "picture", "title")[order.index(instance.shape) % 3]
    model = rng.choice("ABCDEFGHKLMNPRSTUVWXYZ") + str(rng.randrange(10, 1000))
    return Product(number, CATEGORIES[instance.shape][0], told_by, instance, rng.choice(_MAKERS), model)


def listing_at(seed: int, number: int, index: int) -> Listing:
    """Listing `index` of product `number` of shop `seed`."""
    product, rng = product_at(seed, number), Random(f"listing {seed}/{number}/{index}")
    view = _icon(product, rng) if product.told_by == "title" else view_of(product.instance, rng)
    return Listing(product, _title(product, rng), view)


def draw_listing(listing: Listing, size: int = 160) -> Image.Image:
    """The listing's photograph, `size` x `size` pixels."""
    return draw_view(listing.view, size)


def _title(product: Product, rng: Random) -> str:
    """Maker, attributes and category in words of many kinds, with some missing and some that say nothing."""
    words = [rng.choice(CATEGORIES[product.instance.shape])]
    if product.told_by != "picture":
        for attribute in (product.instance.colour, product.instance.pattern):
            if rng.random() < 0.75:
                words.insert(0, rng.choice(_SYNONYMS[attribute]))
        if rng.random() < 0.8:
            words.insert(0, product.maker)
        if rng.random() < 0.6:
            words.append(product.model)
    for _ in range(rng.choice((0, 0, 1, 2))):
        words.insert(rng.randint(0, len(words)), rng.choice(_NOISE))
    return " ".join(words)


def _icon(product: Product, rng: Random) -> View:
    """The category's sign: the same grey shape on white, whichever product it is."""
    grey = near(SHADES["grey"][0], rng)
    finish = Finish(aspect=1.0, repeats=4.0, turn=0.0, phase=(0.0, 0.0), ink=grey)
    thing = Object(product.instance.shape, "grey", "solid", "large", (0.5, 0.5), 0.6, 0.0, grey, finish)
    scene = Scene((thing,), Background("white", "plain", SHADES["white"][0]), 0, world=WORLD_A)
    return View(scene, (1.0, 1.0, 1.0), (0.0, 0.0, 1.0))
