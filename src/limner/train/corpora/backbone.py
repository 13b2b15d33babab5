"""The frozen backbone of drawn scenes: trained once to say what is at each place, then only read.

It is to the procedural world what an ImageNet classifier is to photographs. An experiment on its maps costs
seconds where one on pixels costs minutes, and no text that a method is measured with was seen by it. Its
weights (backbone.safetensors beside this page) come with the package, so that every machine sees the same maps.
"""

from __future__ import annotations

import hashlib
import math
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from limner.data.corpus import Corpora, Corpus
from limner.data.samplers import Shuffled
from limner.data.world import WORLD_A, Scene, masks, patch_shares, render_scenes
from limner.nn.towers.convolutional_transformer import ConvolutionalTransformer, PictureTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.objectives.grid_classification import GridClassification
from limner.train.augment import whole
from limner.train.batches import Sampling, see_pictures
from limner.train.cache import cached_array
from limner.train.experiment import Experiment
from limner.train.optimiser import Optimiser
from limner.train.runs import Place, train

WEIGHTS = Path(__file__).with_name("backbone.safetensors")
SIZE, CELLS = 96, 6
"""Side of the pictures, and of the grid of the backbone's maps."""
KINDS = ("shape", "colour", "pattern", "size")
_SEEN = 0.25
"""Share of a cell that an object must cover to be what is there."""


@dataclass(frozen=True, slots=True)
class PlacedFacts:
    """Pictures of scenes with the truth about each cell of the grid."""

    scenes: int = 10_000
    seed: int = 1000
    vocabulary: int = 300
    context: int = 8

    def load(self, place: Place) -> Corpora:
        held_out = min(500, self.scenes)
        sets = [self._corpus(*part, place) for part in ((0, self.scenes), (self.scenes, held_out))]
        return Corpora(sets[0], sets[1], sets[1])

    def _corpus(self, start: int, count: int, place: Place) -> Corpus:
        path = place.cache / f"backbone-{self.seed}-{start}-{count}.npz"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            pictures, scenes = render_scenes(self.seed, start, count, SIZE)
            np.savez(path, pictures=pictures, grid=np.stack([cell_labels(scene) for scene in scenes]))
        with np.load(path) as made:
            return Corpus("scenes", made["pictures"], [()] * count, targets={"grid": made["grid"]})


def cell_labels(scene: Scene) -> npt.NDArray[np.int64]:
    """(cells, kinds): the class of what is in each cell."""
    shares = patch_shares(masks(scene, SIZE), CELLS).reshape(len(scene.objects), -1)
    there = np.where(shares.max(0) >= _SEEN, shares.argmax(0), -1)
    labels = np.empty((CELLS * CELLS, len(KINDS)), np.int64)
    for kind, name in enumerate(KINDS):
        values = _values(name)
        empty = scene.background.colour if name == "colour" else ""
        named = [getattr(thing, name) for thing in scene.objects] + [empty]
        labels[:, kind] = np.array([values.index(value) for value in named])[there]
    return labels


def _values(kind: str) -> list[str]:
    """What a cell can be: an object's value, or that of no object."""
    values = list(WORLD_A.values(kind))
    return sorted({*values, *WORLD_A.grounds}) if kind == "colour" else ["", *values]


BACKBONE = Experiment(
    "world-backbone",
    PlacedFacts(),
    model=Towers(PictureTower((32, 64), 96, 1, 4), TextTower(8, 0, 1), dimension=8),
    objectives=(GridClassification(tuple(len(_values(kind)) for kind in KINDS)),),
    optimiser=Optimiser(rate=2e-3, steps=2000, warmup=50, average=0.99),
    sampling=Sampling(Shuffled(96)),
)


def maps(pictures: npt.NDArray[np.uint8], place: Place) -> npt.NDArray[Any]:
    """(n, SIZE, SIZE, 3) uint8 -> what the backbone sees, (n, CELLS * CELLS, width) float16; computed once.

    Larger pictures, k * SIZE wide, are seen in k * k parts that are put together: (n, (k * CELLS)^2, width).
    """
    name = hashlib.sha256(np.ascontiguousarray(pictures).data).hexdigest()[:16]

    def make() -> npt.NDArray[Any]:
        tower, parts = read_backbone(), []
        with torch.no_grad():
            for start in range(0, len(pictures), 256):
                part = torch.from_numpy(np.array(pictures[start : start + 256]))
                seen = tower(see_pictures(cut(part, SIZE), whole(1), 0)).half()
                parts.append(put_together(seen, len(part)).numpy())
        return np.concatenate(parts)

    return np.asarray(cached_array(make, place.cache / f"maps-{_weights_name()}-{name}.npy"))


def cut(pictures: Tensor, size: int) -> Tensor:
    """(n, k * size, k * size, 3) -> (n * k * k, size, size, 3), the parts of a picture in the order of reading."""
    grid = pictures.unflatten(2, (-1, size)).unflatten(1, (-1, size))
    return grid.transpose(2, 3).flatten(0, 2)


def put_together(maps: Tensor, count: int) -> Tensor:
    """Maps (count * k * k, t, channels) of the parts of `count` pictures -> (count, k * k * t, channels)."""
    k, side = math.isqrt(len(maps) // max(1, count)), math.isqrt(maps.shape[1])
    grid = maps.unflatten(1, (side, side)).unflatten(0, (count, k, k))
    return grid.transpose(2, 3).flatten(1, 4)


def read_backbone() -> ConvolutionalTransformer:
    """The trained backbone that comes with the package."""
    tower = BACKBONE.model.image.build((3, SIZE, SIZE))
    tower.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()}, strict=False)
    return tower.eval().requires_grad_(False)


def write_backbone(tower: ConvolutionalTransformer, path: Path = WEIGHTS) -> None:
    """Its floats as float16; what only batch norm's training needs is left out."""
    kept = {name: value.half() for name, value in tower.state_dict().items() if value.dtype.is_floating_point}
    save_file({name: value.contiguous() for name, value in kept.items()}, path)


@cache
def _weights_name() -> str:
    return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()[:12]


if __name__ == "__main__":  # python -m limner.train.corpora.backbone RUNS: train it again (six minutes on two cores)
    write_backbone(train(BACKBONE, 0, Place(Path(sys.argv[1]))).model.image.tower)
