"""Drawn scenes for training: pictures (or what the frozen backbone sees in them), texts of a chosen kind, the truth."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from limner.core.types import Integers
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import WORLD_A, Scene, World, describe, render, scene_at
from limner.data.world.captions import Style
from limner.data.world.source import caption_rng
from limner.train.cache import cached_array
from limner.train.corpora.backbone import SIZE, maps
from limner.train.runs import Place


class SceneTexts(Protocol):
    """Settings of what is said about scenes."""

    def write(self, scenes: Sequence[Scene], first: int, seed: int, *, train: bool) -> list[list[Text]]:
        """Texts of each scene; `first` is the number of scenes[0] in the sequence `seed`. Noise is for `train` only."""
        ...


@dataclass(frozen=True, slots=True)
class Captions:
    """One caption in each of these styles."""

    styles: tuple[Style, ...] = ("short", "full", "relation")
    languages: tuple[str, ...] = ("en",)

    def write(self, scenes: Sequence[Scene], first: int, seed: int, *, train: bool) -> list[list[Text]]:
        return [
            [
                Text(describe(scene, rng, style, language).text, language=language)
                for style in self.styles
                for language in self.languages
            ]
            for scene, rng in ((scene, caption_rng(seed, first + row)) for row, scene in enumerate(scenes))
        ]


@dataclass(frozen=True, slots=True)
class Scenes:
    """`scenes` to train on, `tested` each to choose on and to tell on, all of one sequence without overlap."""

    texts: SceneTexts = Captions()
    world: World = WORLD_A
    scenes: int = 6000
    tested: int = 1000
    seed: int = 0
    images: Literal["maps", "pixels"] = "maps"
    vocabulary: int = 1000
    context: int = 96
    characters: bool = False
    """See `train_tokenizer`."""

    def load(self, place: Place) -> Corpora:
        starts = np.cumsum([0, self.scenes, self.tested])
        counts = (self.scenes, self.tested, self.tested)
        names = ("train", "validation", "test")
        return Corpora(
            *(
                self.corpus(name, int(start), count, place)
                for name, start, count in zip(names, starts, counts, strict=True)
            )
        )

    def corpus(self, name: str, start: int, count: int, place: Place) -> Corpus:
        """The scenes `start` to `start + count`; `name` "train" gets the training's texts."""
        scenes = [scene_at(self.seed, index, self.world) for index in range(start, start + count)]
        texts = self.texts.write(scenes, start, self.seed, train=name == "train")
        return scene_corpus(f"scenes {name}", scenes, texts, place, self.images)


def scene_corpus(
    name: str,
    scenes: Sequence[Scene],
    texts: Sequence[Sequence[Text]],
    place: Place,
    images: Literal["maps", "pixels"] = "maps",
    concepts: Integers | None = None,
) -> Corpus:
    """Any scenes with any texts; their truth is the scenes themselves. They are drawn once."""
    drawn = hashlib.sha256(repr(list(scenes)).encode()).hexdigest()[:16]
    pictures = cached_array(lambda: render(scenes, SIZE), place.cache / f"scenes-{SIZE}-{drawn}.npy")
    return Corpus(name, maps(pictures, place) if images == "maps" else pictures, texts, concepts, truth=scenes)
