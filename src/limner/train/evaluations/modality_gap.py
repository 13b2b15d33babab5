"""How far apart questions and what they look for lie as two clouds (Liang et al. 2022, "Mind the Gap")."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Floats
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class ModalityGap:
    """The distance of the mean of the vectors of the texts of `roles` from that of the pictures' vectors, in units of
    the spread of both clouds: the root of the mean squared distance from their own means. Half of it, too, for claims
    of a ratio."""

    split: str = "test"
    roles: tuple[str, ...] = ("caption",)

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        asked = [text.text for texts in corpus.texts for text in texts if text.role in self.roles]
        if not asked:
            raise InputError(f"{corpus.name}: no text of role {self.roles}")
        pictures, texts = trained.encode_images(corpus).vectors, trained.encode_texts(asked).vectors
        found = gap(pictures.cpu().numpy(), texts.cpu().numpy())
        return {"modality gap": Measured.of(found), "half the modality gap": Measured.of(found / 2)}


def gap(first: Floats, second: Floats) -> float:
    """(n, d), (m, d) -> the normalised distance of their means."""
    means = [cloud.mean(0) for cloud in (first, second)]
    spread = np.mean(
        [np.square(cloud - mean).sum(1).mean() for cloud, mean in zip((first, second), means, strict=True)]
    )
    return float(np.linalg.norm(means[0] - means[1]) / np.sqrt(spread))
