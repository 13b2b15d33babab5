"""Everyday photographs and drawn scenes with what a frozen ImageNet backbone sees in them: for the bundled model.

    flickr8k   photographs with five captions each
    pool       photographs of many kinds; some have labels and say "a photo of a LABEL", the others nothing
    scenes     drawn by limner.data.world, with captions

They lie one behind the other (`lengths`). What is chosen on and told on is Flickr8k's.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from limner.core.types import Item
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.datasets import open_dataset
from limner.data.sources import CaptionsSource
from limner.data.world import render_batch
from limner.train.cache import Bytes, cached_array, cached_pictures, decoded_pictures
from limner.train.corpora.flickr8k import WIDE
from limner.train.runs import Place
from limner.train.teacher import Halves, cached_maps

SCENES_SEED = 1


@dataclass(frozen=True, slots=True)
class Everyday:
    """`images` "maps": what the backbone sees is what the image tower reads; "pixels": it is the target "maps"."""

    images: Literal["maps", "pixels"] = "pixels"
    flickr8k: int = 6000
    pool: int = 7893
    scenes: int = 4000
    """The first so many of each."""
    tested: int = 1000
    """The first so many of Flickr8k's validation and test split."""
    channels: int = 512
    """Principal components of the backbone's maps."""
    vocabulary: int = 5000
    context: int = 64

    @property
    def lengths(self) -> tuple[int, int, int]:
        return self.flickr8k, self.pool, self.scenes

    def load(self, place: Place) -> Corpora:
        cache = place.cache / "-".join(map(str, ("everyday", *self.lengths, self.tested)))
        folder = place.dataset("flickr8k")
        train = open_dataset(folder, "train").first_images(self.flickr8k).items
        pool = list(CaptionsSource(place.dataset("photo-pool")))[: self.pool]
        held_out = [open_dataset(folder, split).first_images(self.tested).items for split in ("val", "test")]

        def make() -> Bytes:
            return np.concatenate([decoded_pictures([*train, *pool], WIDE), self._draw(WIDE)[0]])

        pictures = [
            cached_array(make, cache / "train.npy"),
            *(cached_pictures(items, cache / f"test-{part}.npy", WIDE) for part, items in enumerate(held_out)),
        ]
        backbone = place.dataset("teachers") / "imagenet-backbone.onnx"
        maps = cached_maps(pictures, backbone, cache / f"maps-{self.channels}", self.channels)
        texts = [
            _captions(train)
            + _labels(place)[: len(pool)]
            + [[Text(one) for one in some] for some in self._draw(16)[1]],
            *map(_captions, held_out),
        ]
        names = ("everyday train", "flickr8k validation", "flickr8k test")
        return Corpora(*(self._corpus(*row) for row in zip(names, texts, pictures, maps, strict=True)))

    def _draw(self, size: int) -> tuple[Bytes, list[list[str]]]:
        return render_batch(SCENES_SEED, 0, self.scenes, size)

    def _corpus(self, name: str, texts: list[list[Text]], pictures: Bytes, maps: Halves) -> Corpus:
        if self.images == "maps":
            return Corpus(name, maps, texts)
        return Corpus(name, pictures, texts, targets={"maps": maps}, grids=frozenset({"maps"}))


def _captions(items: Sequence[Item]) -> list[list[Text]]:
    return [[Text(text) for text in item.texts] for item in items]


def _labels(place: Place) -> list[list[Text]]:
    """What is said of each photograph of the pool."""
    with (place.dataset("photo-pool") / "captions.jsonl").open(encoding="utf-8") as lines:
        labels = [json.loads(line)["labels"] for line in lines]
    return [[Text(f"a photo of a {label}", "label") for label in some] for some in labels]
