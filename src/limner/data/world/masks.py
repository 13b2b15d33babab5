"""Where each object is, in pixels and in patches."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.data.world.draw import check_size, object_coverage
from limner.data.world.scene import Scene


def masks(scene: Scene, size: int = 160) -> npt.NDArray[np.bool_]:
    """(objects, size, size): where each object covers at least half of the pixel and no later object hides it."""
    check_size(size)
    covered = np.zeros((len(scene.objects), size, size), bool)
    for position, thing in enumerate(scene.objects):
        (left, top), coverage = object_coverage(thing, size)
        patch = np.asarray(coverage) >= 128
        height, width = patch.shape
        patch = patch[max(0, -top) : size - top, max(0, -left) : size - left]
        rows, columns = slice(max(0, top), top + height), slice(max(0, left), left + width)
        covered[:position, rows, columns] &= ~patch
        covered[position, rows, columns] = patch
    return covered


def patch_shares(areas: npt.NDArray[np.bool_], patches: int) -> npt.NDArray[np.float32]:
    """(n, patches, patches): the share of each patch that each mask of (n, size, size) covers.

    The patches are those of an image encoder that cuts the picture into `patches` x `patches`. Raises InputError
    where they do not divide the size.
    """
    count, size, _ = areas.shape
    if size % patches:
        raise InputError(f"{patches} patches along {size} pixels: choose a number that divides {size}")
    side = size // patches
    return areas.reshape(count, patches, side, patches, side).mean((2, 4), dtype=np.float32)
