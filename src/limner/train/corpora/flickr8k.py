"""Flickr8k for training: 6,000 photographs with five captions each, 1,000 to choose on, 1,000 to tell on.

images="maps"     what a frozen ImageNet backbone sees, computed once (cards 7, 29, 91, 113 train on such)
images="pooled"   the mean of each map: one vector a photograph, for models that train in seconds
images="pixels"   the photographs, decoded once
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.datasets import open_dataset
from limner.train.cache import cached_pictures
from limner.train.teacher import cached_maps

WIDE = 160
"""Side of the cached photographs."""


@dataclass(frozen=True, slots=True)
class Flickr8k:
    images: Literal["maps", "pooled", "pixels"] = "maps"
    channels: int = 256
    """Principal components of the backbone's maps."""
    pictures: int = 6000
    """The first so many of the training split."""
    tested: int = 1000
    """The first so many of the validation and the test split."""
    vocabulary: int = 4000
    context: int = 64

    def load(self, place: object) -> Corpora:
        folder = place.dataset("flickr8k")  # type: ignore[attr-defined]
        counts = {"train": self.pictures, "val": self.tested, "test": self.tested}
        datasets = {split: open_dataset(folder, split).first_images(count) for split, count in counts.items()}
        cache = place.cache / f"flickr8k-{self.pictures}-{self.tested}"  # type: ignore[attr-defined]
        arrays = [cached_pictures(dataset.items, cache / f"{split}.npy", WIDE) for split, dataset in datasets.items()]
        if self.images != "pixels":
            backbone = place.dataset("teachers") / "imagenet-backbone.onnx"  # type: ignore[attr-defined]
            arrays = cached_maps(arrays, backbone, cache / f"maps-{self.channels}", self.channels)
        if self.images == "pooled":
            arrays = [array.mean(1, dtype=np.float32, keepdims=True) for array in arrays]
        return Corpora(
            *(
                Corpus(
                    f"flickr8k {split}", np.asarray(array), [[Text(text) for text in item.texts] for item in data.items]
                )
                for (split, data), array in zip(datasets.items(), arrays, strict=True)
            )
        )
