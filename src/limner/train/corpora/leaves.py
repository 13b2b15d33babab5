"""Leaves with signs of disease: few classes, many pictures each, described at length and by name."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from random import Random

import numpy as np

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world.leaves import CONCEPTS, DISEASES, Leaf, draw_leaf, leaf_at, leaf_label, symptoms
from limner.train.cache import cached_array
from limner.train.corpora.backbone import SIZE, maps
from limner.train.runs import Place


@dataclass(frozen=True, slots=True)
class Leaves:
    """Each picture has a text of role "long" (its signs, without a name) and one of role "label" (its name).

    Every fifth combination of a species and a disease is held out; its pictures are the further test set "new".
    Long texts of validation and test are worded as none of the training's. `permuted`: the concepts of the training
    pictures are exchanged at random, which leaves their texts as they are.
    """

    each: int = 100
    """Training pictures of each class."""
    tested: int = 10
    """Pictures of each class to choose on, and to tell on."""
    permuted: bool = False
    seed: int = 0
    vocabulary: int = 500
    context: int = 112

    def load(self, place: Place) -> Corpora:
        new = [concept for concept in range(CONCEPTS) if sum(divmod(concept, len(DISEASES))) % 5 == 0]
        known = [concept for concept in range(CONCEPTS) if concept not in new]
        train = self._corpus("train", known, 0, self.each, frozenset(), place)
        said = {text.text for texts in train.texts for text in texts}
        validation = self._corpus("validation", known, self.each, self.tested, said, place)
        test = self._corpus("test", known, self.each + self.tested, self.tested, said, place)
        unseen = self._corpus("new", new, 0, 2 * self.tested, said, place)
        if self.permuted and train.concepts is not None:
            train = train.replace(concepts=np.random.default_rng(self.seed).permutation(train.concepts))
        return Corpora(train, validation, test, {"new": unseen})

    def _corpus(
        self, name: str, concepts: list[int], start: int, count: int, said: Container[str], place: Place
    ) -> Corpus:
        leaves = [leaf_at(self.seed, concept, start + number) for concept in concepts for number in range(count)]
        path = place.cache / f"leaves-{SIZE}-{self.seed}-{concepts[0]}-{len(concepts)}-{start}-{count}.npy"
        pictures = cached_array(lambda: np.stack([np.asarray(draw_leaf(leaf, SIZE)) for leaf in leaves]), path)
        texts = [
            [Text(unheard(leaf, self._rng(leaf), said), "long"), Text(leaf_label(leaf), "label")] for leaf in leaves
        ]
        numbers = np.array([leaf.concept for leaf in leaves])
        return Corpus(f"leaves {name}", maps(pictures, place), texts, numbers, truth=leaves)

    def _rng(self, leaf: Leaf) -> Random:
        """Of the wording, apart from the one that made the leaf."""
        return Random(f"signs {self.seed}/{leaf.concept}/{leaf.seed}")


def unheard(leaf: Leaf, rng: Random, said: Container[str]) -> str:
    """The leaf's signs in words that are none of `said`. Raises InputError where hardly any are left."""
    for _ in range(1000):
        if (text := symptoms(leaf, rng)) not in said:
            return text
    raise InputError(f"{leaf_label(leaf)}: all its wordings are in the training texts; take fewer leaves of each class")
