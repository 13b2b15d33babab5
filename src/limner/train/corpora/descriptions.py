"""Drawn scenes with long descriptions, taken apart into sentences that know which object they are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from limner.data.corpus import Text
from limner.data.world import Scene, describe, long_description, sentences_of
from limner.data.world.captions import Style
from limner.data.world.source import caption_rng


@dataclass(frozen=True, slots=True)
class Descriptions:
    """The texts of a scene, by role:

        short       a caption of each of these `styles`
        long        a description of `sentences` sentences in random order; no more than its first `words` words
        sentence    each of them that names objects; `part` is the object, where it is one alone
        backdrop    each of the others

    Sentences are those of the whole description, wherever "long" ends.
    """

    sentences: int = 10
    words: int = 1000
    styles: tuple[Style, ...] = ("short",)

    def write(self, scenes: Sequence[Scene], first: int, seed: int, *, train: bool) -> list[list[Text]]:
        return [self._texts(scene, seed, first + row) for row, scene in enumerate(scenes)]

    def _texts(self, scene: Scene, seed: int, number: int) -> list[Text]:
        rng = caption_rng(seed, number)
        short = [Text(describe(scene, rng, style).text, "short") for style in self.styles]
        whole = long_description(scene, rng, sentences=self.sentences)
        sentences = [
            Text(
                sentence.text,
                "sentence" if sentence.objects else "backdrop",
                part=sentence.objects[0] if len(sentence.objects) == 1 else -1,
            )
            for sentence in sentences_of(whole, scene)
        ]
        return [*short, Text(cut(whole.text, self.words), "long"), *sentences]


def cut(text: str, words: int) -> str:
    return " ".join(text.split()[:words])
