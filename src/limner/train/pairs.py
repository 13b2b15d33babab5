"""Pictures with captions as batches: which pairs a step sees, cropped and tokenised, as a function of its number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from limner.encode.tokenizer import Tokenizer
from limner.train.augment import crop, jitter_colours, random_crops
from limner.train.cache import Bytes
from limner.train.teacher import Halves


@dataclass(frozen=True, slots=True, eq=False)
class PairSet:
    """One data set in memory: row i of each field belongs to picture i."""

    pictures: Bytes
    maps: Halves
    """(n, t, c): what the teacher sees on a square grid of t places."""
    captions: Sequence[Sequence[str]]
    """None, one or several a picture; a picture without captions still teaches through its map."""
    share: float
    """Its share of each batch."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    pictures: Tensor
    """(n, 3, size, size) in [0, 1]; (0,) where the batch was asked for without."""
    maps: Tensor
    """(n, t, c), cropped like the pictures."""
    captioned: Tensor
    """(m,): rows that have a caption."""
    ids: Tensor
    """(m, t): token ids of the captions, padded with 0."""
    groups: Tensor
    """(m,): equal for equal captions."""


class Batches:
    """`batches(step)` is the same for the same seed and step, whatever came before."""

    def __init__(
        self,
        sets: Sequence[PairSet],
        tokenizer: Tokenizer,
        *,
        batch: int,
        seed: int,
        device: torch.device,
        size: int = 0,
        least_crop: float = 0.5,
        jitter: float = 0.3,
    ) -> None:
        """`size`: side of the cropped pictures; 0 leaves pictures out (maps and captions only)."""
        self.sets, self.seed, self.device, self.size = sets, seed, device, size
        self.least_crop, self.jitter = least_crop, jitter
        total = sum(pairs.share for pairs in sets)
        self.counts = [round(batch * pairs.share / total) for pairs in sets]
        texts = sorted({caption for pairs in sets for captions in pairs.captions for caption in captions})
        self.group = {text: number for number, text in enumerate(texts)}
        self.tokens = {text: tokenizer.encode(text) for text in texts}

    def __call__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, step))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        pictures, maps, captioned, texts = [], [], [], []
        rows_before = 0
        for pairs, count in zip(self.sets, self.counts, strict=True):
            rows = np.sort(rng.choice(len(pairs.pictures), count, replace=False))
            maps.append(torch.from_numpy(pairs.maps[rows]))
            if self.size:
                pictures.append(torch.from_numpy(pairs.pictures[rows]))
            for place, row in enumerate(rows):
                if choices := pairs.captions[row]:
                    captioned.append(rows_before + place)
                    texts.append(choices[rng.integers(len(choices))])
            rows_before += count
        crops = random_crops(rows_before, self.least_crop, generator)
        grid = torch.cat(maps).to(self.device).float().transpose(1, 2)
        side = int(grid.shape[2] ** 0.5)
        seen = crop(grid.unflatten(2, (side, side)), crops, side).flatten(2).transpose(1, 2)
        return Batch(
            self._crop_pictures(pictures, crops, generator) if self.size else torch.empty(0),
            seen,
            torch.tensor(captioned, device=self.device),
            pad([self.tokens[text] for text in texts]).to(self.device),
            torch.tensor([self.group[text] for text in texts], device=self.device),
        )

    def _crop_pictures(self, pictures: list[Tensor], crops: Tensor, generator: torch.Generator) -> Tensor:
        floats = torch.cat(pictures).to(self.device).permute(0, 3, 1, 2).float() / 255
        cropped = jitter_colours(crop(floats, crops, self.size), self.jitter, generator)
        return cropped.contiguous(memory_format=torch.channels_last)


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """(n, longest) int64, short rows filled with 0."""
    padded = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for row, ids in enumerate(rows):
        padded[row, : len(ids)] = torch.tensor(ids)
    return padded
