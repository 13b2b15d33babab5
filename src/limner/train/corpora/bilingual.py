"""Drawn scenes of which many are described in one of two languages only, and never with parallel texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import Scene, caption_rng, describe, scene_at, translate
from limner.data.world.planning import Style
from limner.train.corpora.scenes import scene_corpus
from limner.train.runs import Place


@dataclass(frozen=True, slots=True)
class Bilingual:
    """Of the training pictures a half has a caption in each language, written apart from one another; of the other
    half every second one has a caption in the first language only, and the rest in the second.

    The role of a text is its language. Validation and test have one caption in both (parallel, for measuring only).
    A further set for each language, "without en" say, holds training pictures that had no caption in it, with one
    in it.
    """

    languages: tuple[str, str] = ("en", "zh")
    style: Style = "full"
    scenes: int = 6000
    tested: int = 1000
    seed: int = 0
    vocabulary: int = 1500
    context: int = 96

    def load(self, place: Place) -> Corpora:
        scenes = [scene_at(self.seed, index) for index in range(self.scenes)]
        known = [self._known(row) for row in range(self.scenes)]
        texts = [[self._text(scene, row, language) for language in known[row]] for row, scene in enumerate(scenes)]
        train = scene_corpus("scenes train", scenes, texts, place)
        more = {f"without {language}": self._without(language, train, known) for language in self.languages}
        validation = self._parallel("validation", self.scenes, place)
        return Corpora(train, validation, self._parallel("test", self.scenes + self.tested, place), more)

    def _known(self, row: int) -> tuple[str, ...]:
        """The languages in which a training picture is described."""
        return self.languages if row % 2 == 0 else (self.languages[row // 2 % 2],)

    def _text(self, scene: Scene, row: int, language: str) -> Text:
        """Each language by a generator of its own: it tells other things in another order."""
        rng = caption_rng(len(self.languages) * self.seed + self.languages.index(language), row)
        return Text(describe(scene, rng, self.style, language).text, language, language)

    def _without(self, language: str, train: Corpus, known: Sequence[Sequence[str]]) -> Corpus:
        rows = np.array([row for row, languages in enumerate(known) if language not in languages], np.int64)
        corpus = train.take(rows[: self.tested])
        texts = [[self._text(scene, int(row), language)] for row, scene in zip(rows, corpus.truth, strict=False)]
        return corpus.replace(name=f"scenes without {language}", texts=texts)

    def _parallel(self, name: str, start: int, place: Place) -> Corpus:
        rows = range(start, start + self.tested)
        scenes = [scene_at(self.seed, row) for row in rows]
        said = [
            describe(scene, caption_rng(self.seed, row), self.style) for row, scene in zip(rows, scenes, strict=True)
        ]
        texts = [
            [Text(translate(caption, scene, language).text, language, language) for language in self.languages]
            for caption, scene in zip(said, scenes, strict=True)
        ]
        return scene_corpus(f"scenes {name}", scenes, texts, place)
