"""Drawn scenes of which some have a caption and others only a label that many share ("a red circle")."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import WORLD_A, Scene, caption_rng, describe, label_names, scene_at
from limner.data.world.facts import Exists
from limner.train.corpora.scenes import scene_corpus
from limner.train.runs import Place

TEMPLATES = ("{}", "a photo of {}", "a drawing of {}", "this is {}", "{} in a picture")
"""Into which a label is put: a text of each for every labelled picture."""


@dataclass(frozen=True, slots=True)
class LabelledScenes:
    """Scenes of one sequence, the labelled ones of the training first.

    The concept of a labelled picture is the class of its label, that of any other is its caption's own number: what
    UniCL gets by hashing texts before they are expanded by templates. Validation and test have captions only. The
    further test set "labels" is of scenes with one object each, so that one label is right for each.
    """

    labelled: int = 2400
    captioned: int = 3600
    tested: int = 1000
    seed: int = 0
    vocabulary: int = 1000
    context: int = 96

    def load(self, place: Place) -> Corpora:
        trained = self.labelled + self.captioned
        train = self._corpus("train", 0, trained, self.labelled, place)
        validation = self._corpus("validation", trained, self.tested, 0, place)
        test = self._corpus("test", trained + self.tested, self.tested, 0, place)
        return Corpora(train, validation, test, {"labels": self._labels(place)})

    def _corpus(self, name: str, start: int, count: int, labelled: int, place: Place) -> Corpus:
        scenes = [scene_at(self.seed, index) for index in range(start, start + count)]
        texts, concepts = self._labelled(scenes[:labelled], start)
        numbers: dict[str, int] = {}
        for row, scene in enumerate(scenes[labelled:], start + labelled):
            caption = describe(scene, caption_rng(self.seed, row), "full").text
            texts.append([Text(caption)])
            concepts.append(len(label_names()) + numbers.setdefault(caption, len(numbers)))
        return scene_corpus(f"scenes {name}", scenes, texts, place, concepts=np.array(concepts))

    def _labels(self, place: Place) -> Corpus:
        """Of another sequence."""
        alone = replace(WORLD_A, most=1)
        scenes = [scene_at(self.seed + 1, index, alone) for index in range(self.tested)]
        texts, concepts = self._labelled(scenes, 0)
        return scene_corpus("scenes labels", scenes, texts, place, concepts=np.array(concepts))

    def _labelled(self, scenes: Sequence[Scene], start: int) -> tuple[list[list[Text]], list[int]]:
        texts, concepts = [], []
        for row, scene in enumerate(scenes, start):
            label = describe(scene, caption_rng(self.seed, row), "label")
            (fact,) = label.facts
            assert isinstance(fact, Exists)
            concepts.append(label_names().index(f"{fact.kind.colour} {fact.kind.shape}"))
            texts.append([Text(template.format(label.text), "label") for template in TEMPLATES])
        return texts, concepts
