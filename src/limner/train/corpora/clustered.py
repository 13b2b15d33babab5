"""Pictures with the numbers of their nearest clusters, from what a model that was trained before made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.data.corpus import Corpora, Corpus
from limner.train.clusters import fingerprint, stored_clusters
from limner.train.corpora.derived import Derived
from limner.train.experiment import Experiment
from limner.train.runs import Place, train


@dataclass(frozen=True, slots=True)
class Clustered(Derived):
    """The same pictures and texts; the training pictures have a target "clusters" (n, labels) int64, nearest first.

    Their image vectors by the model of `features` (its seed 0) are clustered once. No picture of validation or
    test takes part.
    """

    features: Experiment
    clusters: int = 1500
    labels: int = 8

    def load(self, place: Place) -> Corpora:
        corpora = self.data.load(place)
        return Corpora(self._labelled(corpora.train, place), corpora.validation, corpora.test, corpora.more)

    def _labelled(self, corpus: Corpus, place: Place) -> Corpus:
        vectors = train(self.features, 0, place).encode_images(corpus).vectors.cpu().numpy().astype(np.float32)
        path = place.cache / f"clusters-{fingerprint(vectors)[:16]}-{self.clusters}.npz"
        clusters = stored_clusters(path, vectors, self.clusters)
        return corpus.replace(targets={**corpus.targets, "clusters": clusters.nearest(vectors, self.labels)})
