"""Pictures decoded once: a memory-mapped uint8 array that training crops from, epoch after epoch."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from limner.core.errors import InputError
from limner.core.runtime import cpu_count
from limner.core.types import Item
from limner.data.content import read_bytes
from limner.data.pictures import read_picture

Bytes = npt.NDArray[np.uint8]


def cached_array(make: Callable[[], Bytes], path: Path) -> Bytes:
    """What `make` gives, kept at `path` and memory-mapped."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial.npy")  # two processes may make it at once
        np.save(partial, make())
        partial.replace(path)
    cached: Bytes = np.load(path, mmap_mode="r")
    return cached


def decoded_pictures(items: Sequence[Item], size: int) -> Bytes:
    """(n, size, size, 3) uint8, row i from items[i], stretched to a square.

    A picture that does not open raises PictureError: training data are expected to be whole.
    """
    pictures = np.empty((len(items), size, size, 3), np.uint8)

    def decode(row: int) -> None:
        picture, _ = read_picture(read_bytes(items[row].uri), items[row].uri, shorter_side=size)
        pictures[row] = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))

    with ThreadPoolExecutor(cpu_count()) as pool:
        list(pool.map(decode, range(len(items))))
    return pictures


def cached_pictures(items: Sequence[Item], path: Path, size: int) -> Bytes:
    """`decoded_pictures`, kept at `path`."""
    cached = cached_array(lambda: decoded_pictures(items, size), path)
    if len(cached) != len(items):
        raise InputError(f"{path}: holds {len(cached)} pictures, {len(items)} are wanted; delete it to make it anew")
    return cached
