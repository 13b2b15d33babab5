"""Where in a picture a sentence points, against the masks of the object that it is about."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.data.corpus import Corpus
from limner.data.world import masks, patch_shares
from limner.objectives.sentence_grouping import group_patches
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained

MASK_SIZE = 96


@dataclass(frozen=True, slots=True)
class Pointing:
    """The weights a_p that a sentence gives to the places of its picture (see `group_patches`), for every text of
    `role` that is about one object; needs drawn scenes with their truth.

        pointing accuracy    whether the place of greatest weight is one of the object's (the pointing game, Zhang
                             et al. 2016)
        pointing by chance   the same for a place drawn at random: the object's share of all places
        pointing IoU         of the object's places with those of half the greatest weight and more

    The object's places: those it covers at least half as much of as of the one that it covers most of.
    """

    split: str = "test"
    role: str = "sentence"

    def __call__(self, trained: Trained) -> Outcome:
        corpus = trained.corpora.split(self.split)
        about = [
            (row, text)
            for row, texts in enumerate(corpus.texts)
            for text in texts
            if text.role == self.role and text.part >= 0
        ]
        if not about:
            raise InputError(f"{corpus.name}: no text of role {self.role!r} is about one object")
        owner = np.array([row for row, _ in about])
        places = place_vectors(trained, trained.encode_images(corpus))[torch.from_numpy(owner)]
        words = trained.encode_texts([text.text for _, text in about]).vectors
        weights = group_patches(places, words)[1].numpy()
        covered = object_places(corpus, places.shape[1])
        truth = np.stack([covered[row][text.part] for row, text in about])
        return {name: Measured.of(values, owner) for name, values in pointing(weights, truth).items()}


def pointing(weights: npt.NDArray[np.floating], truth: npt.NDArray[np.bool_]) -> dict[str, npt.NDArray[np.float64]]:
    """Each (m,): of weights (m, places), none negative, and the places that are right, (m, places) bool."""
    chosen = half_of_most(weights)
    return {
        "pointing accuracy": truth[np.arange(len(truth)), weights.argmax(1)].astype(np.float64),
        "pointing by chance": truth.mean(1),
        "pointing IoU": (chosen & truth).sum(1) / (chosen | truth).sum(1),
    }


def half_of_most(values: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    """(..., places): where a value is above 0 and at least half the greatest of its row."""
    return (values > 0) & (values >= values.max(-1, keepdims=True) / 2)


def object_places(corpus: Corpus, places: int) -> list[npt.NDArray[np.bool_]]:
    """For each scene (objects, places): where each object is. Raises InputError without scenes."""
    if not len(corpus.truth):
        raise InputError(f"{corpus.name}: where a text points needs drawn scenes with their truth")
    side = round(places**0.5)
    return [half_of_most(patch_shares(masks(scene, MASK_SIZE), side).reshape(-1, places)) for scene in corpus.truth]


@torch.no_grad()
def place_vectors(trained: Trained, images: Encoded) -> torch.Tensor:
    """(n, places, d) unit vectors of the common space, also of a model that was not trained on them."""
    return trained.model.image.project_states(images.states).cpu()
