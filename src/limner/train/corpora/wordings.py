"""Captions of drawn scenes that stay true when the picture is mirrored, and some about small things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from limner.data.corpus import Text
from limner.data.world import Scene, caption_rng, describe, mismatch, say
from limner.data.world.captions import Style
from limner.data.world.facts import Exists, kind_of
from limner.data.world.worlds import ATTRIBUTES


@dataclass(frozen=True, slots=True)
class Wordings:
    """The texts of a scene, by role:

        caption    one of each of these `styles`, none of which says left or right
        small      not in training: a small object with all its attributes, where there is one

    Of the training pictures a share `mismatched` has the captions of others.
    """

    styles: tuple[Style, ...] = ("full", "short")
    mismatched: float = 0.0

    def write(self, scenes: Sequence[Scene], first: int, seed: int, *, train: bool) -> list[list[Text]]:
        written = [self._texts(scene, seed, first + row, train) for row, scene in enumerate(scenes)]
        return [written[row] for row in mismatch(len(scenes), self.mismatched, seed)] if train else written

    def _texts(self, scene: Scene, seed: int, number: int, train: bool) -> list[Text]:
        rng = caption_rng(seed, number)
        texts = [Text(describe(scene, rng, style).text) for style in self.styles]
        if train:
            return texts
        for position, thing in enumerate(scene.objects):
            if thing.size == "small":
                said = say([Exists(kind_of(thing, *ATTRIBUTES))], scene, voice=rng.getrandbits(32))
                return [*texts, Text(said.text, "small", part=position)]
        return texts
