"""The linear probe of places: what a straight line can read off the vector of one place of a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.data.corpus import Corpus
from limner.eval.metrics.base import Doubles
from limner.train.evaluations.pointing import object_places, place_vectors
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class PlaceProbe:
    """The shape of the object at a place, from the place's vector in the common space, by ridge regression.

    Learnt on the validation split, told on `split`: the share of right answers over the places where an object is.
    """

    split: str = "test"
    ridge: float = 1.0

    def __call__(self, trained: Trained) -> Outcome:
        seen, shapes, _ = _places(trained, trained.corpora.validation)
        asked, right, picture = _places(trained, trained.corpora.split(self.split))
        guesses = np.array(sorted(set(shapes)))[ridge_classes(seen, shapes, asked, self.ridge)]
        return {"place probe accuracy, shape": Measured.of(guesses == right, picture)}


def ridge_classes(seen: Doubles, labels: npt.NDArray, asked: Doubles, ridge: float) -> npt.NDArray[np.int64]:
    """Least squares (n, d) -> one of the sorted classes, then the greatest of (m, d); -> (m,) positions."""
    classes, number = np.unique(labels, return_inverse=True)
    mean = seen.mean(0)
    centred, wanted = seen - mean, np.eye(len(classes))[number] - np.bincount(number) / len(number)
    weights = np.linalg.solve(centred.T @ centred + ridge * np.eye(seen.shape[1]), centred.T @ wanted)
    return ((asked - mean) @ weights + np.bincount(number) / len(number)).argmax(1)


def _places(trained: Trained, corpus: Corpus) -> tuple[Doubles, npt.NDArray, npt.NDArray[np.int64]]:
    """Of all places where an object is: vectors (n, d), shapes (n,), rows of the pictures (n,)."""
    vectors = place_vectors(trained, trained.encode_images(corpus)).numpy().astype(np.float64)
    picture, place, shape = [], [], []
    for row, covered in enumerate(object_places(corpus, vectors.shape[1])):
        for thing, places in zip(corpus.truth[row].objects, covered, strict=True):
            where = np.flatnonzero(places)
            picture += [row] * len(where)
            place += list(where)
            shape += [thing.shape] * len(where)
    if not picture:
        raise InputError(f"{corpus.name}: a probe of places needs drawn scenes with objects")
    return vectors[picture, place], np.array(shape), np.array(picture)
