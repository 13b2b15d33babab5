"""Pictures as a frozen encoder sees them: its states, computed once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from limner.data.corpus import Corpora, Corpus
from limner.train.cache import cached_array
from limner.train.experiment import Data, Experiment
from limner.train.runs import Place, train
from limner.train.trained import Trained, see


@dataclass(frozen=True, slots=True)
class Encoded:
    """The same data with the states (n, t, width), float16, of the image tower that `encoder` trained (its seed 0).

    Whole pictures, not augmented, so that they can be kept: vary the maps by noise, if at all.
    """

    data: Data
    encoder: Experiment

    @property
    def vocabulary(self) -> int:
        return self.data.vocabulary

    @property
    def context(self) -> int:
        return self.data.context

    def load(self, place: Place) -> Corpora:
        corpora, encoder = self.data.load(place), train(self.encoder, 0, place)
        train_, validation, test = (
            self._seen(corpus, encoder, place) for corpus in (corpora.train, corpora.validation, corpora.test)
        )
        return Corpora(train_, validation, test)

    def _seen(self, corpus: Corpus, encoder: Trained, place: Place) -> Corpus:
        name = hashlib.sha256(np.ascontiguousarray(corpus.images).data).hexdigest()[:16]
        path = place.cache / f"states-{self.encoder.fingerprint}-{name}.npy"
        return corpus.replace(images=np.asarray(cached_array(lambda: states(encoder, corpus), path)))


@torch.no_grad()
def states(encoder: Trained, corpus: Corpus) -> npt.NDArray[Any]:
    """(n, t, width) float16 of the image tower."""
    parts = []
    for start in range(0, len(corpus), 256):
        images = see(torch.from_numpy(np.array(corpus.images[start : start + 256])), encoder.size)
        parts.append(encoder.model.image.tower(images).half().cpu().numpy())
    return np.concatenate(parts)
