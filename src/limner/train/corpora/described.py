"""Pictures that are found by what was written about them: drawn scenes and photographs with descriptions (card 120).

The texts of the roles "prose", "listing" and "both" (one after the other) are the documents that stand for a picture.
A training picture has all three under the one role "document", so that a step draws any of them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import Scene, caption_rng, describe, long_description, say
from limner.data.world.captions import Style
from limner.data.world.describer import Describer, listing, prose
from limner.data.world.facts import Backdrop, Count, Exists, Fact, Related, kind_of
from limner.data.world.worlds import ATTRIBUTES
from limner.train.corpora.derived import Derived
from limner.train.corpora.scenes import Scenes
from limner.train.runs import Place

STYLES: tuple[Style, ...] = ("short", "full", "relation", "partial")
HONEST = Describer()
RECALLS = (0.5, 0.6, 0.7, 0.8, 0.9)
WEAK, INVENTING = Describer(0.8, 0.1, 0.1), Describer(invented=0.1)


@dataclass(frozen=True, slots=True)
class DescribedTexts:
    """What is said about a scene, by role:

        caption     one in each of the STYLES, and in training a long one, too, as people write them
        again       in training: another caption of all objects, in other words
        document, or prose, listing, both: see the top of the file; by a describer who sees all

    To choose and to tell on there are questions besides:

        long        a description of five sentences or more in other words
        attribute   two objects with all their attributes, or the one that there is
        scene       how two things stand to one another, how many there are of one, and the background
        pair, pair swapped      two objects with their colours, and with the colours exchanged, which is false
        order, order swapped    how two shapes stand to one another, and the two exchanged, which is false
    """

    def write(self, scenes: Sequence[Scene], first: int, seed: int, *, train: bool) -> list[list[Text]]:
        return [self._texts(scene, seed, first + row, train) for row, scene in enumerate(scenes)]

    def _texts(self, scene: Scene, seed: int, number: int, train: bool) -> list[Text]:
        rng = caption_rng(seed, number)
        texts = [Text(describe(scene, rng, style).text) for style in STYLES]
        long = long_description(scene, rng, sentences=5).text
        documents = written(HONEST, scene, Random(f"described {seed}/{number}"))
        if train:
            again = Text(describe(scene, rng, "full").text, "again")
            return [*texts, Text(long), again, *(Text(text.text, "document") for text in documents)]
        return [*texts, Text(long, "long"), *documents, *questions(scene, rng)]


def written(describer: Describer, scene: Scene, rng: Random) -> list[Text]:
    """The documents of a scene: prose, listing, both."""
    perceived = describer.perceive(scene, rng)
    sentences, listed = prose(perceived, rng), listing(perceived)
    return [Text(sentences, "prose"), Text(listed, "listing"), Text(f"{sentences} {listed}", "both")]


def questions(scene: Scene, rng: Random) -> list[Text]:
    things = rng.sample(scene.objects, min(2, len(scene.objects)))
    attribute = [Exists(kind) for kind in dict.fromkeys(kind_of(thing, *ATTRIBUTES) for thing in things)]
    texts = [
        Text(say(attribute, scene, voice=rng.getrandbits(32)).text, "attribute"),
        Text(say(_glance(scene, rng), scene, voice=rng.getrandbits(32)).text, "scene"),
    ]
    for role, right, wrong in (("pair", *_pair(scene, rng)), ("order", *_order(scene, rng))):
        if right:
            voice = rng.getrandbits(32)
            texts += [Text(say(right, scene, voice=voice).text, role)]
            texts += [Text(say(wrong, scene, voice=voice).text, f"{role} swapped")]
    return texts


def _glance(scene: Scene, rng: Random) -> list[Fact]:
    facts: list[Fact] = []
    if scene.relations:
        found = rng.choice(scene.relations)
        subject, other = (kind_of(scene.objects[row], "shape") for row in (found.subject, found.other))
        facts.append(Related(subject, found.direction, other))
    kind = kind_of(rng.choice(scene.objects), "colour")
    return [*facts, Count(kind, len(kind.among(scene))), Backdrop(scene.background.colour, scene.background.texture)]


def _pair(scene: Scene, rng: Random) -> tuple[list[Fact], list[Fact]]:
    """Two coloured shapes, and their colours exchanged: neither of these is there. Empty where no two are so."""
    pairs = [(a, b) for a in scene.objects for b in scene.objects if a.shape != b.shape and a.colour != b.colour]
    rng.shuffle(pairs)
    for pair in pairs:
        one, other = (kind_of(thing, "shape", "colour") for thing in pair)
        swapped = [one.but(colour=other.colour), other.but(colour=one.colour)]
        if not any(kind.among(scene) for kind in swapped):
            return [Exists(one), Exists(other)], [Exists(kind) for kind in swapped]
    return [], []


def _order(scene: Scene, rng: Random) -> tuple[list[Fact], list[Fact]]:
    """How two shapes stand to one another, and the false opposite. Empty where nothing is beyond dispute."""
    relations = list(scene.relations)
    rng.shuffle(relations)
    for found in relations:
        one, other = (kind_of(scene.objects[row], "shape") for row in (found.subject, found.other))
        swapped = Related(other, found.direction, one)
        if one != other and swapped.truth(scene) is False:
            return [Related(one, found.direction, other)], [swapped]
    return [], []


@dataclass(frozen=True, slots=True)
class DescribedScenes:
    """Drawn scenes with `DescribedTexts`. Further splits have the scenes and questions of "test", described by others:

    recall 0.5 ... recall 0.9    who overlook objects
    weak                         who overlooks a fifth, mistakes a tenth and invents a tenth
    inventing                    who sees all and invents a tenth; a text of the role "invented" asks for each
                                 picture's first invention, if any, and one of the role "honest" is the
                                 document "both" of who sees all
    """

    scenes: int = 4000
    tested: int = 1000
    seed: int = 0
    vocabulary: int = 600
    context: int = 256

    def load(self, place: Place) -> Corpora:
        corpora = Scenes(DescribedTexts(), scenes=self.scenes, tested=self.tested, seed=self.seed).load(place)
        splits = {f"recall {recall}": Describer(recall) for recall in RECALLS} | {"weak": WEAK}
        more = {name: self._described(corpora.test, name, describer) for name, describer in splits.items()}
        return dataclasses.replace(corpora, more={**more, "inventing": self._inventing(corpora.test)})

    def _described(self, test: Corpus, name: str, describer: Describer) -> Corpus:
        texts = [
            [*(text for text in some if text.role == "caption"), *written(describer, scene, self._rng(row))]
            for row, (some, scene) in enumerate(zip(test.texts, test.truth, strict=True))
        ]
        return test.replace(name=f"scenes {name}", texts=texts)

    def _inventing(self, test: Corpus) -> Corpus:
        texts = []
        for row, scene in enumerate(test.truth):
            perceived = INVENTING.perceive(scene, self._rng(row))
            invented = [kind_of(thing, "shape", "colour") for thing in perceived.objects[len(scene.objects) :]]
            asked = [Text(say([Exists(kind)], scene).text, "invented") for kind in invented[:1]]
            (honest,) = written(HONEST, scene, self._rng(row))[2:]
            documents = written(INVENTING, scene, self._rng(row))
            texts.append([*asked, *documents, Text(honest.text, "honest")])
        return test.replace(name="scenes inventing", texts=texts)

    def _rng(self, row: int) -> Random:
        """One describer's, whoever it is, so that they differ in their quality only."""
        return Random(f"described {self.seed}/{self.scenes + self.tested + row}")


@dataclass(frozen=True, slots=True)
class WithoutPictures(Derived):
    """The same texts; of the pictures nothing is left but that they are."""

    def load(self, place: Place) -> Corpora:
        corpora = self.data.load(place)
        train, validation, test = map(_blind, (corpora.train, corpora.validation, corpora.test))
        return Corpora(train, validation, test, {name: _blind(corpus) for name, corpus in corpora.more.items()})


def _blind(corpus: Corpus) -> Corpus:
    return corpus.replace(images=np.zeros((len(corpus), 1, 1), np.float16))
