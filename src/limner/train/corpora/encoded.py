"""Pictures as a frozen image tower sees them, computed once: for training what stands behind it, a hundred times
faster."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from limner.data.corpus import Corpora, Corpus
from limner.nn.two_towers import TwoTowers
from limner.train.cache import cached_array
from limner.train.corpora.derived import Derived
from limner.train.experiment import Experiment
from limner.train.runs import Place, train
from limner.train.starting import FromBundle
from limner.train.trained import see

_BATCH = 64


@dataclass(frozen=True, slots=True)
class Encoded(Derived):
    """The same data with the states (n, t, width), float16, of a trained image tower: an experiment's, of its seed 0,
    or a bundle's.

    Whole pictures, not augmented, so that they can be kept: vary the maps by noise, if at all. A tower that is to read
    them does without its trunk where it is given states (a ProjectedTower).
    """

    encoder: Experiment | FromBundle

    def load(self, place: Place) -> Corpora:
        corpora = self.data.load(place)
        model, size = self._opened(place)
        return Corpora(
            *(self._seen(one, model, size, place) for one in (corpora.train, corpora.validation, corpora.test)),
            {name: self._seen(one, model, size, place) for name, one in corpora.more.items()},
        )

    def _opened(self, place: Place) -> tuple[TwoTowers, int]:
        """The model and the side of the pictures that it reads."""
        if isinstance(self.encoder, FromBundle):
            built = self.encoder.open()
            return built.model.eval(), built.architecture.shape[-1]
        trained = train(self.encoder, 0, place)
        return trained.model, trained.size

    def _seen(self, corpus: Corpus, model: TwoTowers, size: int, place: Place) -> Corpus:
        pictures = hashlib.sha256(np.ascontiguousarray(corpus.images).data).hexdigest()[:16]
        path = place.cache / f"states-{self.encoder.fingerprint[:12]}-{pictures}.npy"
        return corpus.replace(images=np.asarray(cached_array(lambda: states(model, size, corpus), path)))


@torch.no_grad()
def states(model: TwoTowers, size: int, corpus: Corpus) -> npt.NDArray[Any]:
    """(n, t, width) float16 of the image tower."""
    parts = []
    for start in range(0, len(corpus), _BATCH):
        images = see(torch.from_numpy(np.array(corpus.images[start : start + _BATCH])), size)
        parts.append(model.image.tower(images).half().cpu().numpy())
    return np.concatenate(parts)
