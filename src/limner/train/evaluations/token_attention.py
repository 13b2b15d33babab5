"""What the few tokens of a picture look at: whether each at something else, and at objects rather than background."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from limner.core.errors import InputError
from limner.train.evaluations.pointing import half_of_most, object_places
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class TokenAttention:
    """Of the maps of a reducer, for each scene of the split:

    attention maps, mean pairwise IoU    of the places of half the greatest weight and more; 1: all maps are one
    attention on objects                 mean over the maps of the weight that lies on places of any object
    objects, share of the places         the same for maps that look everywhere
    """

    split: str = "test"

    def __call__(self, trained: Trained) -> Outcome:
        corpus, reducer = trained.corpora.split(self.split), trained.model.image.reducer
        if reducer is None:
            raise InputError("the attention of tokens needs a model with a reducer of tokens")
        with torch.no_grad():
            maps = reducer.maps(trained.encode_images(corpus).states).cpu().numpy()
        there = np.stack([places.any(0) for places in object_places(corpus, maps.shape[2])])
        overlap = pairwise_iou(half_of_most(maps))
        return {
            "attention maps, mean pairwise IoU": Measured.of(overlap),
            "attention maps, mean pairwise IoU of equal ones": Measured.of(np.ones(len(overlap))),
            "attention on objects": Measured.of((maps * there[:, None]).sum(2).mean(1)),
            "objects, share of the places": Measured.of(there.mean(1)),
        }


def pairwise_iou(areas: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """(n, k, places), none empty -> (n,): mean over the pairs of two different ones; 1 where there is one only."""
    sets = areas.astype(np.float64)
    both = sets @ sets.transpose(0, 2, 1)
    size = both.diagonal(axis1=1, axis2=2)
    rows, columns = np.triu_indices(areas.shape[1], 1)
    if not len(rows):
        return np.ones(len(areas))
    common = both[:, rows, columns]
    found: npt.NDArray[np.float64] = (common / (size[:, rows] + size[:, columns] - common)).mean(1)
    return found
