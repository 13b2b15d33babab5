"""What is said of drawn scenes in several languages at once, with errors of translation in some of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from limner.data.corpus import Text
from limner.data.world import Noise, Scene, add_noise, caption_rng, describe, translate
from limner.data.world.planning import Style


@dataclass(frozen=True, slots=True)
class Parallel:
    """One caption a scene, in every language; the role of a text is its language.

    In training, a share `rate` of the texts of each language in `mistaken` has one fact wrong, each language's
    on scenes of its own.
    """

    languages: tuple[str, ...] = ("en", "de", "fr", "zh")
    mistaken: tuple[str, ...] = ("fr", "zh")
    rate: float = 0.15
    style: Style = "full"

    def write(self, scenes: Sequence[Scene], first: int, seed: int, *, train: bool) -> list[list[Text]]:
        said = [describe(scene, caption_rng(seed, first + row), self.style) for row, scene in enumerate(scenes)]
        columns = []
        for number, language in enumerate(self.languages):
            noise = Noise(wrong=self.rate if train and language in self.mistaken else 0.0)
            translated = [translate(caption, scene, language) for caption, scene in zip(said, scenes, strict=True)]
            heard = add_noise(translated, scenes, noise, seed=len(self.languages) * seed + number)
            columns.append([Text(one.caption.text, role=language, language=language) for one in heard])
        return [list(row) for row in zip(*columns, strict=True)]
