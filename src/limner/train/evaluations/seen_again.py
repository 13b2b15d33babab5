"""The same picture under other noise: is it found again among all pictures?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from limner.eval.metrics import Recall
from limner.train.evaluations.retrieval import ranked
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class SeenAgain:
    """Each picture of a split searches all of them, both under noise of their own; maps of a frozen backbone only."""

    noise: float
    """Standard deviation of what is added to a map's values (of unit variance)."""
    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        chance = np.random.default_rng(0)
        once, again = (
            trained.encode_images(corpus.replace(images=_disturbed(corpus.images, self.noise, chance))).vectors
            for _ in range(2)
        )
        right = np.eye(len(corpus), dtype=bool)
        values = ranked(torch.mm(once, again.T).cpu().numpy(), right, (Recall(1), Recall(10)))
        return {f"image seen again {name}": Measured.of(found) for name, found in values.items()}


def _disturbed(maps: np.ndarray, noise: float, chance: np.random.Generator) -> np.ndarray:
    return maps + noise * chance.standard_normal(maps.shape, dtype=np.float32)
