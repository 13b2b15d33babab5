"""Drawn scenes whose raw texts are often those of other scenes, or say nothing, with a captioner's text beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import Noise, add_noise, caption_rng, describe, scene_at
from limner.data.world.noise import Trouble
from limner.data.world.planning import Style
from limner.train.corpora.scenes import scene_corpus
from limner.train.runs import Place

TROUBLES: tuple[str, ...] = ("", *get_args(Trouble))
"""What can be wrong with a raw text; its position is the number in the target "trouble"."""


@dataclass(frozen=True, slots=True)
class NoisyScenes:
    """Each training picture has a text of role "caption", noisy, and one of role "synthetic" with `mistakes` in it.

    The target "trouble" tells what is wrong with its raw text. Validation and test have clean captions only.
    """

    noise: Noise = Noise(mismatched=0.4, vague=0.2)
    mistakes: float = 0.15
    """Share of the synthetic texts with one fact wrong."""
    raw: Style = "full"
    synthetic: Style = "partial"
    scenes: int = 6000
    tested: int = 1000
    seed: int = 0
    vocabulary: int = 1000
    context: int = 96

    def load(self, place: Place) -> Corpora:
        scenes = [scene_at(self.seed, index) for index in range(self.scenes)]
        captions = [describe(scene, caption_rng(self.seed, row), self.raw) for row, scene in enumerate(scenes)]
        generated = [describe(scene, caption_rng(~self.seed, row), self.synthetic) for row, scene in enumerate(scenes)]
        heard = add_noise(captions, scenes, self.noise, self.seed)
        written = add_noise(generated, scenes, Noise(wrong=self.mistakes), self.seed + 1)
        texts = [
            [Text(one.caption.text), Text(other.caption.text, "synthetic")]
            for one, other in zip(heard, written, strict=True)
        ]
        trouble = np.array([TROUBLES.index(one.trouble or "") for one in heard])
        train = scene_corpus("scenes train", scenes, texts, place).replace(targets={"trouble": trouble})
        validation = self._clean("validation", self.scenes, place)
        return Corpora(train, validation, self._clean("test", self.scenes + self.tested, place))

    def _clean(self, name: str, start: int, place: Place) -> Corpus:
        rows = range(start, start + self.tested)
        scenes = [scene_at(self.seed, row) for row in rows]
        texts = [
            [Text(describe(scene, caption_rng(self.seed, row), self.raw).text)]
            for row, scene in zip(rows, scenes, strict=True)
        ]
        return scene_corpus(f"scenes {name}", scenes, texts, place)
