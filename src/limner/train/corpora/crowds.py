"""Crowded scenes whose texts ask for the one small rare thing in them (card 119, SORCE)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import say
from limner.data.world.crowds import SPARSE, Look, crowd_at, crowd_facts, rare_number
from limner.data.world.facts import Exists, kind_of
from limner.train.cache import cached_array
from limner.train.corpora.backbone import SIZE, maps
from limner.train.runs import Place

WIDE = 2 * SIZE
"""Side of the pictures: each is seen by the backbone in 2 x 2 parts, which makes 12 x 12 cells."""
LEVELS = {"hard": 1.0, "medium": 2.0, "easy": 3.0}
"""How near the three views of each test picture are."""


@dataclass(frozen=True, slots=True)
class Crowds:
    """`scenes` to train on, `tested` each to choose on and to tell on; 300 have a rare thing of their own each.

    Of three training pictures one has few objects, one is a crowd, one a crowd seen from up to three times as near.
    The concept is the kind of the rare thing, the target "quadrant" where it is (see `Look`). Texts of a picture,
    `wordings` each:

        object    its rare thing, and nothing else of the picture
        scene     the background and some counts, as a glance at the whole tells them: of pictures seen whole only

    The splits "validation" and "test" have whole pictures; "validation views" and "test views" have each picture at
    the three LEVELS, one after the other, and one text of role "object". Truth: `Look`s.
    """

    scenes: int = 3000
    tested: int = 300
    wordings: int = 2
    seed: int = 0
    vocabulary: int = 400
    context: int = 48

    def load(self, place: Place) -> Corpora:
        train = self._corpus("train", [self._learnt(row) for row in range(self.scenes)], 0, place)
        starts = {"validation": self.scenes, "test": self.scenes + self.tested}
        views = {f"{name} views": self._views(f"{name} views", start, place) for name, start in starts.items()}
        whole = {name: self._whole(name, start, views[f"{name} views"]) for name, start in starts.items()}
        return Corpora(train, whole["validation"], whole["test"], views)

    def _learnt(self, row: int) -> Look:
        if row % 3 == 0:
            return Look(crowd_at(self.seed, row, SPARSE))
        return Look(crowd_at(self.seed, row), 1.0 if row % 3 == 1 else Random(f"near {self.seed}/{row}").uniform(1, 3))

    def _views(self, name: str, start: int, place: Place) -> Corpus:
        scenes = [crowd_at(self.seed, start + row) for row in range(self.tested)]
        looks = [Look(scene, zoom) for scene in scenes for zoom in LEVELS.values()]
        texts = [self._texts(look, start + row // len(LEVELS))[:1] for row, look in enumerate(looks)]
        return self._drawn(name, looks, texts, place)

    def _whole(self, name: str, start: int, views: Corpus) -> Corpus:
        whole = views.take(range(0, len(views), len(LEVELS)))
        return whole.replace(
            name=f"crowds {name}", texts=[self._texts(look, start + row) for row, look in enumerate(whole.truth)]
        )

    def _corpus(self, name: str, looks: Sequence[Look], start: int, place: Place) -> Corpus:
        texts = [self._texts(look, start + row) for row, look in enumerate(looks)]
        kinds = [rare_number(self.seed, start + row) for row in range(len(looks))]
        return self._drawn(name, looks, texts, place).replace(
            concepts=np.array(kinds), targets={"quadrant": np.array([look.quadrant for look in looks])}
        )

    def _drawn(self, name: str, looks: Sequence[Look], texts: list[list[Text]], place: Place) -> Corpus:
        told = hashlib.sha256(repr((WIDE, list(looks))).encode()).hexdigest()[:16]
        pictures = cached_array(
            lambda: np.stack([look.draw(WIDE) for look in looks]), place.cache / f"crowds-{told}.npy"
        )
        return Corpus(f"crowds {name}", maps(pictures, place), texts, truth=looks)

    def _texts(self, look: Look, number: int) -> list[Text]:
        rng, scene = Random(f"crowd texts {self.seed}/{number}"), look.scene
        thing = Exists(kind_of(scene.objects[0], "shape", "colour", "pattern"))
        about = [say([thing], scene, voice=rng.getrandbits(32)).text for _ in range(self.wordings)]
        glances = range(self.wordings) if look.zoom == 1 else ()
        whole = [say(crowd_facts(scene, rng), scene, voice=rng.getrandbits(32)).text for _ in glances]
        return [*(Text(text, "object", part=0) for text in about), *(Text(text, "scene") for text in whole)]
