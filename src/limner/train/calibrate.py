"""From score to probability: fitted on a validation split, with the very graphs that will be shipped."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.core.protocols import Encoder
from limner.core.types import Dense, Floats, Modality, Sparse, Tokens
from limner.data.content import read_bytes
from limner.data.datasets import Dataset
from limner.data.pictures import read_picture
from limner.encode.manifest import Calibration
from limner.eval.calibration import fit_logistic

PRIOR = 0.1
"""A probability answers: of pictures that score like this, how many fit, if one in ten fits at all?"""

_BATCH = 50
_LEAST_SLOPE = 1e-6
_PART = 0.75
"""Side of the two corners of a picture that count as two pictures of one scene."""


def calibrate(encoder: Encoder, dataset: Dataset, space: str) -> dict[Modality, Calibration]:
    """For text questions: captions against their own picture and all others. For picture questions: two
    overlapping corners of one photograph against corners of different ones. Raises InputError where
    the pairs are too few."""
    pictures = [read_picture(read_bytes(item.uri), item.uri)[0] for item in dataset.items]
    images = _encode(encoder, "image", pictures, space)
    captions = _encode(encoder, "text", [text for item in dataset.items for text in item.texts], space)
    owner = np.repeat(np.arange(len(pictures)), [len(item.texts) for item in dataset.items])
    scores = _scores(captions, images)
    own = np.zeros(scores.shape, np.bool_)
    own[np.arange(len(owner)), owner] = True
    lefts, rights = (_encode(encoder, "image", (_corner(one, end) for one in pictures), space) for end in (0, 1))
    corners, same = _scores(lefts, rights), np.eye(len(pictures), dtype=np.bool_)
    return {"text": _fit(scores, own), "image": _fit(corners, same)}


def _fit(scores: Floats, right: npt.NDArray[np.bool_]) -> Calibration:
    slope, offset = fit_logistic(scores[right], scores[~right], PRIOR)
    if slope > 0:
        return Calibration(slope, offset)
    # What belongs together scores no higher: the likeliest curve that does not fall says nothing but the prior.
    return Calibration(_LEAST_SLOPE, math.log(PRIOR / (1 - PRIOR)))


def _corner(picture: Image.Image, end: int) -> Image.Image:
    width, height = picture.size
    left, top = end * (1 - _PART) * width, end * (1 - _PART) * height
    return picture.crop((int(left), int(top), int(left + _PART * width), int(top + _PART * height)))


def _encode(encoder: Encoder, modality: Modality, contents: Iterable[Any], space: str) -> list[Floats]:
    """Of each of the contents the vectors (t, d): its tokens in a space of tokens, one vector in any other."""
    prepared = [encoder.prepare(modality, content) for content in contents]
    found: list[Floats] = []
    for start in range(0, len(prepared), _BATCH):
        made = encoder.encode(modality, prepared[start : start + _BATCH])[space]
        if isinstance(made, Sparse):
            made = Dense(_written_out(made))
        found += np.split(made.values, made.offsets[1:-1] if isinstance(made, Tokens) else len(made))
    return found


def _scores(questions: Sequence[Floats], items: Sequence[Floats]) -> Floats:
    """(n, m): the mean over a question's vectors of the best of an item's (MaxSim); of one vector each, the cosine."""
    starts = np.cumsum([0, *(len(item) for item in items)])[:-1]
    vectors = np.concatenate(items).T
    return np.stack([np.maximum.reduceat(question @ vectors, starts, axis=1).mean(0) for question in questions])


def _written_out(made: Sparse) -> Floats:
    """(n, V) of weighted words."""
    rows = np.zeros((len(made), made.vocabulary_size), np.float32)
    rows[np.repeat(np.arange(len(made)), np.diff(made.indptr)), made.indices] = made.values
    return rows
