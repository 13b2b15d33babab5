"""Products of a shop, each in several listings with another photograph and another title every time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world.products import draw_listing, listing_at
from limner.train.cache import cached_array
from limner.train.corpora.backbone import SIZE, maps
from limner.train.runs import Place


@dataclass(frozen=True, slots=True)
class Products:
    """`products` to train on, `tested` others to choose on and again others to tell on, each in `listings` listings.

    A picture's one text is the title; its concept is the product, numbered from 0 in each split; its truth is the
    listing. In a third of the categories titles say little, in another third all pictures are the same icon.
    """

    products: int = 1000
    listings: int = 4
    tested: int = 250
    seed: int = 0
    vocabulary: int = 700
    context: int = 48

    def load(self, place: Place) -> Corpora:
        starts = (0, self.products, self.products + self.tested)
        counts = (self.products, self.tested, self.tested)
        names = ("train", "validation", "test")
        return Corpora(*(self._corpus(*part, place) for part in zip(names, starts, counts, strict=True)))

    def _corpus(self, name: str, start: int, count: int, place: Place) -> Corpus:
        numbers = [(product, index) for product in range(start, start + count) for index in range(self.listings)]
        listings = [listing_at(self.seed, *number) for number in numbers]
        path = place.cache / f"products-{SIZE}-{self.seed}-{start}-{count}-{self.listings}.npy"
        pictures = cached_array(lambda: np.stack([np.asarray(draw_listing(one, SIZE)) for one in listings]), path)
        return Corpus(
            f"products {name}",
            maps(pictures, place),
            [[Text(one.title, "title")] for one in listings],
            np.array([product - start for product, _ in numbers]),
            truth=listings,
        )
