"""Drawn scenes of which several are described by one sentence: near duplicates that a one-hot label calls wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import WORLD_A, Scene, World, caption_rng, near_duplicates, scene_at
from limner.train.corpora.scenes import scene_corpus
from limner.train.runs import Place


@dataclass(frozen=True, slots=True)
class SharedCaptions:
    """Every picture has one caption, which tells shape and colour of all its objects.

    To train on: `scenes` with captions of their own and `groups` times `each` that share one, differing in places,
    sizes, patterns and backgrounds. Validation and test are `tested` of the first kind; "duplicates" are as
    many groups of the second kind as make about `tested` pictures.
    """

    world: World = replace(WORLD_A, fewest=2)
    scenes: int = 2000
    groups: int = 250
    each: int = 8
    tested: int = 500
    seed: int = 0
    vocabulary: int = 1000
    context: int = 64

    def load(self, place: Place) -> Corpora:
        sizes = [*[1] * self.scenes, *[self.each] * self.groups]
        train = self._corpus("train", 0, sizes, place)
        start = len(sizes)
        validation = self._corpus("validation", start, [1] * self.tested, place)
        test = self._corpus("test", start + self.tested, [1] * self.tested, place)
        groups = [self.each] * max(1, self.tested // self.each)
        duplicates = self._corpus("duplicates", start + 2 * self.tested, groups, place)
        return Corpora(train, validation, test, {"duplicates": duplicates})

    def _corpus(self, name: str, start: int, sizes: list[int], place: Place) -> Corpus:
        """Groups of these sizes, made from the scenes from number `start` on."""
        scenes: list[Scene] = []
        texts: list[list[Text]] = []
        for number, size in enumerate(sizes, start):
            scene = scene_at(self.seed, number, self.world)
            caption, others = near_duplicates(scene, caption_rng(self.seed, number), size - 1)
            scenes += [scene, *others]
            texts += [[Text(caption.text)]] * size
        return scene_corpus(f"shared captions {name}", scenes, texts, place)
