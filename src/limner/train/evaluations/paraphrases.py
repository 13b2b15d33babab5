"""Whether texts that say the same lie together, however they say it."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from limner.data.world import paraphrases
from limner.data.world.captions import Style
from limner.eval.metrics import Success
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class Paraphrases:
    """Each scene of a split is described twice, the same facts in two wordings: cosine of the two, and how far that is
    above the cosine with the descriptions of other scenes. The first wording searches all second ones."""

    style: Style = "full"
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        scenes = trained.corpora.split(self.split).truth
        pairs = [paraphrases(scene, Random(f"paraphrases {row}"), self.style) for row, scene in enumerate(scenes)]
        first, second = (trained.encode_texts([pair[side].text for pair in pairs]).vectors.cpu() for side in (0, 1))
        scores = (first @ second.T).numpy()
        same = scores.diagonal()
        others = (scores.sum(1) - same) / (len(scores) - 1)
        # Two scenes may be described alike: the same facts are as right from another scene.
        facts = [frozenset(one.facts) for one, _ in pairs]
        right = np.array([[one == other for other in facts] for one in facts])
        found = ranked(scores, right, (Success(1),))["success@1"]
        return {
            "paraphrases: cosine": Measured.of(same),
            "paraphrases: cosine above that of others": Measured.of(same - others),
            "paraphrases: success@1": Measured.of(found),
        }
