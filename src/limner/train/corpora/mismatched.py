"""Other data with a share of the training pairs mismatched."""

from __future__ import annotations

from dataclasses import dataclass

from limner.data.corpus import Corpora
from limner.data.world import mismatch
from limner.train.corpora.derived import Derived
from limner.train.corpora.flickr8k import Flickr8k
from limner.train.experiment import Data


@dataclass(frozen=True, slots=True)
class Mismatched(Derived):
    """`rate` of the training pictures, drawn by `seed`, have all their texts from another one of them.

    The truth of a training picture is the number of the picture that its texts were written for. Validation and test
    are left as they are.
    """

    data: Data = Flickr8k()
    rate: float = 0.4
    seed: int = 0

    def load(self, place: object) -> Corpora:
        corpora = self.data.load(place)
        sources = mismatch(len(corpora.train), self.rate, self.seed).tolist()
        texts = [corpora.train.texts[source] for source in sources]
        train = corpora.train.replace(texts=texts, truth=sources)
        return Corpora(train, corpora.validation, corpora.test, corpora.more)
