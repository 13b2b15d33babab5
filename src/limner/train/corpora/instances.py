"""Things in many views: which thing each picture shows, and coarse captions that many things share."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import WORLD_A, say
from limner.data.world.facts import Exists, kind_of
from limner.data.world.instances import View, coarse_caption, draw_view, view_at
from limner.train.cache import cached_array
from limner.train.corpora.backbone import SIZE, maps
from limner.train.runs import Place


@dataclass(frozen=True, slots=True)
class Instances:
    """`instances` things to train on, `tested` others to choose on and again others to tell on, each in `views` views.

    A picture has a text of role "coarse" ("a striped blue shape", always in the same words) and `wordings` more of
    role "wording" that say the same in random words. The concept is what the texts say, pattern and colour; the
    target "instance" (n,) is the thing, numbered from 0 in each split. `shuffled`: the training pictures
    have the texts of others, as if a captioner had failed.
    """

    instances: int = 600
    views: int = 6
    tested: int = 150
    wordings: int = 3
    shuffled: bool = False
    seed: int = 0
    vocabulary: int = 300
    context: int = 32

    def load(self, place: Place) -> Corpora:
        train = self._corpus("train", 0, self.instances, place)
        if self.shuffled:
            order = np.random.default_rng(self.seed).permutation(len(train))
            train = train.replace(texts=[train.texts[row] for row in order])
        validation = self._corpus("validation", self.instances, self.tested, place)
        return Corpora(train, validation, self._corpus("test", self.instances + self.tested, self.tested, place))

    def _corpus(self, name: str, start: int, count: int, place: Place) -> Corpus:
        numbers = [(index, number) for index in range(start, start + count) for number in range(self.views)]
        views = [view_at(self.seed, index, number) for index, number in numbers]
        path = place.cache / f"instances-{SIZE}-{self.seed}-{start}-{count}-{self.views}.npy"
        pictures = cached_array(lambda: np.stack([np.asarray(draw_view(view, SIZE)) for view in views]), path)
        return Corpus(
            f"instances {name}",
            maps(pictures, place),
            [self._texts(view, index, number) for view, (index, number) in zip(views, numbers, strict=True)],
            np.array([_said(view) for view in views]),
            {"instance": np.array([index - start for index, _ in numbers])},
            truth=[view.scene for view in views],
        )

    def _texts(self, view: View, index: int, number: int) -> list[Text]:
        rng = Random(f"wordings {self.seed}/{index}/{number}")
        fact = Exists(kind_of(view.scene.objects[0], "pattern", "colour"))
        wordings = [say([fact], view.scene, voice=rng.getrandbits(32)).text for _ in range(self.wordings)]
        return [Text(coarse_caption(view).text, "coarse"), *(Text(text, "wording") for text in wordings)]


def _said(view: View) -> int:
    """Pattern and colour as one number."""
    thing = view.scene.objects[0]
    return WORLD_A.patterns.index(thing.pattern) * len(WORLD_A.colours) + WORLD_A.colours.index(thing.colour)
