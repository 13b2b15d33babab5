"""A collection of real pictures: their vectors by the bundled model, captions as queries."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from limner.core.errors import InputError, SourceError
from limner.core.types import Dense, Floats, Kind, Representation
from limner.data.datasets import Dataset, open_dataset
from limner.encode.bundle import Bundle, default_bundle
from limner.encode.onnx import OnnxEncoder
from limner.measure.model import dense_space, encode_pairs
from limner.measure.search.workload import BLOCK_ROWS, Workload, unit

_ITEMS, _QUERIES = range(2)


@dataclass(frozen=True)
class EncodedPictures(Workload):
    """Pictures as a model sees them, and captions that ask for them.

    Beyond the pictures that there are, items are pictures moved away by `perturbation` (where a picture's vector is
    1 long); the workload's name then says so.
    """

    folder: Path = Path()
    """With `pictures.npy` and `captions.npy`; its name stands for the data and the model."""
    title: str = ""
    perturbation: float = 0.5

    kind: ClassVar[Kind] = "dense"

    @property
    def name(self) -> str:  # type: ignore[override]
        there = len(self._pictures)
        return f"{self.title}, enlarged from {there:,} pictures" if self.n > there else self.title

    def block(self, number: int, rows: int) -> Dense:
        rng, there = self.generator(_ITEMS, number), len(self._pictures)
        row = number * BLOCK_ROWS + np.arange(rows)
        away: Floats = self.perturbation * unit(rng.standard_normal((rows, self._pictures.shape[1]), np.float32))
        return Dense(unit(self._pictures[row % there] + away * (row >= there)[:, None]))

    def queries(self, items: Representation) -> Mapping[str, Dense]:
        captions = np.load(self.folder / "captions.npy")
        chosen = self.generator(_QUERIES).choice(len(captions), min(self.query_count, len(captions)), replace=False)
        return {"captions": Dense(captions[np.sort(chosen)])}

    @cached_property
    def _pictures(self) -> Floats:
        pictures: Floats = np.load(self.folder / "pictures.npy")
        return pictures


def encoded(place: Path, cache: Path, seed: int, tell: Callable[[str], None]) -> Callable[[int], EncodedPictures]:
    """The pictures at `place`, all splits together, and the first caption of each, encoded once by the bundled model:
    for a size, the workload. Raises InputError where nothing there can be used."""
    data = _every_split(place)
    bundle = Bundle.load(default_bundle())
    label = hashlib.sha256(f"{data.fingerprint} {bundle.fingerprint}".encode()).hexdigest()[:10]
    folder = cache / f"pictures-{label}"
    if not (folder / "captions.npy").exists():
        tell(f"encoding {len(data.items):,} pictures of {data.name}, once")
        encoder = OnnxEncoder(bundle)
        first = replace(data, items=tuple(item.replace(texts=item.texts[:1]) for item in data.items))
        pairs = encode_pairs(encoder, first, dense_space(encoder, None))
        if not pairs.asked:
            raise InputError(f"{place}: holds no picture with a caption that can be used")
        folder.mkdir(parents=True, exist_ok=True)
        np.save(folder / "pictures.npy", unit(pairs.images))
        np.save(folder / "captions.npy", unit(pairs.captions))
    return lambda n: EncodedPictures(n, seed, folder=folder, title=f"pictures of {data.name}")


def _every_split(place: Path) -> Dataset:
    try:
        return open_dataset(place, "train+val+test")
    except SourceError:  # it has other splits, or none
        return open_dataset(place)
