"""A picture -> the square of pixels that the image graph reads, as the bundle says."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.core.errors import InputError
from limner.encode.manifest import ImageInput

_RESAMPLING = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Big pictures are first averaged down to this many times the wanted size: several times faster, and
# at 3 not to be told from the direct way. Part of what defines the vectors: see VECTORS_VERSION.
_REDUCING_GAP = 3.0


def prepare_picture(picture: Image.Image, wanted: ImageInput) -> npt.NDArray[np.uint8]:
    """Resize an upright RGB picture to (size, size, 3) uint8. Raises InputError for other modes and empty pictures."""
    if picture.mode != "RGB":
        raise InputError(f"a picture in mode {picture.mode} cannot be encoded: convert it to RGB")
    width, height = picture.size
    if not (width and height):
        raise InputError(f"a picture of {width} x {height} pixels cannot be encoded: it is empty")
    size = wanted.size
    box = (0.0, 0.0, float(width), float(height))
    target = (size, size)
    if wanted.resize == "crop":
        side = min(width, height)
        left, top = (width - side) / 2, (height - side) / 2
        box = (left, top, left + side, top + side)
    elif wanted.resize == "pad":
        scale = size / max(width, height)
        target = (max(1, round(width * scale)), max(1, round(height * scale)))
    if target == picture.size and box == (0, 0, *target):
        resized = picture
    else:
        resized = picture.resize(target, _RESAMPLING[wanted.interpolation], box, reducing_gap=_REDUCING_GAP)
    pixels = np.asarray(resized)
    if target == (size, size):
        return pixels
    square = np.zeros((size, size, 3), np.uint8)
    left, top = (size - target[0]) // 2, (size - target[1]) // 2
    square[top : top + target[1], left : left + target[0]] = pixels
    return square
