"""Whether the weights of agreement gates know which raw texts are wrong, where the data know it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from limner.eval.metrics.base import Doubles
from limner.objectives.gates import gates
from limner.train.corpora.noisy import TROUBLES
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class GateQuality:
    """On training pictures with the target "trouble", with the running means of the objective named `objective`.

    For raw texts that are other pictures' ("mismatched") against clean ones: the AUC of the sample weight W_s and
    the means of the pair weight W_t. `chance` is the AUC of weights that know nothing.
    """

    objective: str = "raw"
    pictures: int = 2000
    """So many of the training's first ones."""

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.train.take(np.arange(min(self.pictures, len(trained.corpora.train))))
        raw, synthetic = (
            trained.encode_texts([next(text.text for text in texts if text.role == role) for texts in corpus.texts])
            for role in ("caption", "synthetic")
        )
        picture = trained.encode_images(corpus).vectors
        pairs = ((raw.vectors, synthetic.vectors), (picture, raw.vectors), (picture, synthetic.vectors))
        means = trained.heads[self.objective].values
        agreement, of_raw, _ = (
            weights.cpu().numpy().astype(np.float64)
            for weights in gates(torch.stack([(a * b).sum(1) for a, b in pairs]), means)
        )
        trouble = corpus.targets["trouble"]
        clean, mismatched = (trouble == TROUBLES.index(name) for name in ("", "mismatched"))
        return {
            "W_s: AUC of clean against mismatched": Measured.of(above(agreement[clean], agreement[mismatched])),
            "W_s: chance": Measured.of(0.5),
            "W_t of clean texts": Measured.of(of_raw[clean]),
            "W_t of mismatched texts": Measured.of(of_raw[mismatched]),
        }


def above(high: Doubles, low: Doubles) -> Doubles:
    """For each of `low`, the share of `high` above it, equal ones by half: the mean is the area under the ROC curve."""
    ordered = np.sort(high)
    not_above = (np.searchsorted(ordered, low, "left") + np.searchsorted(ordered, low, "right")) / 2
    shares: Doubles = 1 - not_above / len(high)
    return shares
