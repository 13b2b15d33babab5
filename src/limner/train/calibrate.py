"""From cosine to probability: fitted on a validation split, with the very graphs that will be shipped."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.core.protocols import Encoder
from limner.core.types import Dense, Floats, Modality
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
    scores = captions @ images.T
    own = np.zeros(scores.shape, np.bool_)
    own[np.arange(len(owner)), owner] = True
    lefts, rights = (_encode(encoder, "image", (_corner(one, end) for one in pictures), space) for end in (0, 1))
    corners, same = lefts @ rights.T, np.eye(len(pictures), dtype=np.bool_)
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


def _encode(encoder: Encoder, modality: Modality, contents: Iterable[Any], space: str) -> Floats:
    prepared = [encoder.prepare(modality, content) for content in contents]
    parts = []
    for start in range(0, len(prepared), _BATCH):
        vectors = encoder.encode(modality, prepared[start : start + _BATCH])[space]
        assert isinstance(vectors, Dense)
        parts.append(vectors.values)
    return np.concatenate(parts)
