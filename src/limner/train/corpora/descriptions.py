"""Drawn scenes with long descriptions, taken apart into sentences that know which object they are about."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from limner.data.corpus import Corpora, Text
from limner.data.world import Scene, caption_rng, describe, long_description, scene_at, sentences_of, twin
from limner.data.world.captions import Style
from limner.train.corpora.scenes import Scenes, scene_corpus
from limner.train.runs import Place


@dataclass(frozen=True, slots=True)
class Descriptions:
    """The texts of a scene, by role:

        short       a caption of each of these `styles`
        long        a description of `sentences` sentences in random order, the first `words` words of it; 0: none
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
        long = [Text(cut(whole.text, self.words), "long")] if self.words else []
        return [*short, *long, *sentences]


@dataclass(frozen=True, slots=True)
class TwinScenes:
    """Scenes with descriptions, and a split "twins": 2 i and 2 i + 1 differ in the pattern or the size of one object.

    Their descriptions differ in one sentence, anywhere among the others. The texts of a twin: "long", cut like those
    of training, and "uncut".
    """

    texts: Descriptions = Descriptions()
    scenes: int = 4000
    tested: int = 500
    twins: int = 500
    """Pairs."""
    seed: int = 0
    vocabulary: int = 1000
    context: int = 160

    def load(self, place: Place) -> Corpora:
        corpora = Scenes(self.texts, scenes=self.scenes, tested=self.tested, seed=self.seed).load(place)
        pairs: list[tuple[Scene, Scene]] = []
        number = self.scenes + 2 * self.tested
        while len(pairs) < self.twins:
            scene, rng = scene_at(self.seed, number), caption_rng(self.seed, number)
            if other := twin(scene, rng, rng.choice(("pattern", "size"))):
                pairs.append((scene, other.scene))
            number += 1
        texts = [self._texts(scene, pair) for pair, scenes in enumerate(pairs) for scene in scenes]
        split = scene_corpus("twins", [scene for scenes in pairs for scene in scenes], texts, place)
        return dataclasses.replace(corpora, more={"twins": split})

    def _texts(self, scene: Scene, pair: int) -> list[Text]:
        whole = long_description(scene, Random(f"twins {self.seed}/{pair}"), sentences=self.texts.sentences).text
        return [Text(cut(whole, self.texts.words), "long"), Text(whole, "uncut")]


def cut(text: str, words: int) -> str:
    return " ".join(text.split()[:words])
