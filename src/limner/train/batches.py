"""A corpus as batches: sampled, cropped, tokenised, as a function of the step's number."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.data.corpus import Corpus, Text
from limner.data.samplers import Sampler, Shuffled, TextChoice
from limner.encode.tokenizer import Tokenizer
from limner.train.augment import crop, jitter_colours, random_crops, whole

Positives = Literal["picture", "text", "concept"]


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """n pictures and m texts."""

    images: Tensor
    """What the image tower reads: (n, 3, size, size) in [0, 1], or maps (n, t, channels)."""
    ids: Tensor
    """(m, t) token ids, padded with 0."""
    owner: Tensor
    """(m,) row of each text's picture."""
    rows: Tensor
    """(n,) numbers of the pictures in the corpus."""
    image_group: Tensor
    text_group: Tensor
    roles: Mapping[str, Tensor] = field(default_factory=dict)
    language: Tensor | None = None
    concept: Tensor | None = None
    targets: Mapping[str, Tensor] = field(default_factory=dict)
    view: Tensor | None = None
    """`images` seen a second time."""

    def __len__(self) -> int:
        return len(self.images)

    def part(self, start: int, end: int) -> Batch:
        """The pictures from row `start` to row `end`, with their texts."""
        kept = (self.owner >= start) & (self.owner < end)
        place = kept.cumsum(0) - 1
        rows = slice(start, end)
        return Batch(
            self.images[rows],
            self.ids[kept],
            self.owner[kept] - start,
            self.rows[rows],
            self.image_group[rows],
            self.text_group[kept],
            {name: place[members[kept[members]]] for name, members in self.roles.items()},
            None if self.language is None else self.language[kept],
            None if self.concept is None else self.concept[rows],
            {name: values[rows] for name, values in self.targets.items()},
            None if self.view is None else self.view[rows],
        )

    def second(self) -> Batch:
        """As the second view shows it, where there is one."""
        return self if self.view is None else dataclasses.replace(self, images=self.view, view=None)

    def to(self, device: torch.device) -> Batch:
        moved = {}
        for one in dataclasses.fields(self):
            value = getattr(self, one.name)
            if isinstance(value, Tensor):
                moved[one.name] = value.to(device)
            elif isinstance(value, Mapping):
                moved[one.name] = {name: inner.to(device) for name, inner in value.items()}
        return dataclasses.replace(self, **moved)


@dataclass(frozen=True, slots=True)
class Augment:
    """How a picture changes each time it is seen; `least` 1 and `jitter` 0: not at all."""

    least: float = 1.0
    """Smallest share of the area that a crop keeps; below 1, pictures are mirrored, too."""
    jitter: float = 0.0
    """Brightness, contrast and saturation change by up to this share (pictures only)."""
    noise: float = 0.0
    """Standard deviation of what is added to a map's values (of unit variance)."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a corpus becomes batches."""

    sampler: Sampler = Shuffled()
    texts: TextChoice = TextChoice()
    positives: Positives = "picture"
    """What makes a picture and a text right for one another: that it was written for it, that the picture's own
    text says the same (needs one text a picture), or that both show one concept."""
    augment: Augment = Augment()
    views: int = 1
    """2: each picture twice, changed differently."""
    size: int = 0
    """Side of the pictures, or of the grid of the maps, after cropping; 0: as stored."""
    languages: tuple[str, ...] = ("en",)


class Batches:
    """`batches(step)` is the same for the same corpus, seed and step, whatever came before."""

    def __init__(self, corpus: Corpus, tokenizer: Tokenizer, sampling: Sampling, *, seed: int) -> None:
        self.corpus, self.sampling, self.seed = corpus, sampling, seed
        self.rows = sampling.sampler.bind(corpus, seed)
        texts = sorted({text.text for some in corpus.texts for text in some})
        self.number = {text: number for number, text in enumerate(texts)}
        self.tokens = [tokenizer.encode(text) for text in texts]

    def __call__(self, step: int) -> Batch:
        rng = np.random.default_rng((self.seed, 2, step))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        rows = self.rows(step)
        chosen = [
            (row, self.corpus.texts[number][place])
            for row, number in enumerate(rows)
            for place in self.sampling.texts.pick(self.corpus, int(number), rng)
        ]
        grids = {name: self._gather(name, rows) for name in self.corpus.grids}
        images = torch.from_numpy(np.array(self.corpus.images[rows]))
        seen, cropped = self._see(images, grids, generator)
        view = self._see(images, {}, generator)[0] if self.sampling.views > 1 else None
        plain = {name: self._gather(name, rows) for name in self.corpus.targets.keys() - self.corpus.grids}
        return self._batch(rows, chosen, seen, view, {**plain, **cropped})

    def _gather(self, name: str, rows: np.ndarray) -> Tensor:
        return torch.from_numpy(np.array(self.corpus.targets[name][rows]))

    def _see(
        self, images: Tensor, grids: Mapping[str, Tensor], generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        augment = self.sampling.augment
        crops = random_crops(len(images), augment.least, generator) if augment.least < 1 else whole(len(images))
        size = self.sampling.size
        if images.ndim == 4:
            seen = see_pictures(images, crops, size)
            seen = jitter_colours(seen, augment.jitter, generator) if augment.jitter else seen
        else:
            seen = see_maps(images, crops, size)
            if augment.noise:
                seen = seen + augment.noise * torch.randn(seen.shape, generator=generator)
        return seen, {name: see_maps(values, crops, 0) for name, values in grids.items()}

    def _batch(
        self,
        rows: np.ndarray,
        chosen: Sequence[tuple[int, Text]],
        seen: Tensor,
        view: Tensor | None,
        targets: Mapping[str, Tensor],
    ) -> Batch:
        numbers = [self.number[text.text] for _, text in chosen]
        owner = torch.tensor([row for row, _ in chosen], dtype=torch.int64)
        concept = None if self.corpus.concepts is None else torch.from_numpy(self.corpus.concepts[rows])
        by_role: dict[str, list[int]] = {}
        for place, (_, text) in enumerate(chosen):
            by_role.setdefault(text.role, []).append(place)
        image_group, text_group = self._groups(owner, torch.tensor(numbers, dtype=torch.int64), concept, len(rows))
        languages = self.sampling.languages
        return Batch(
            seen,
            pad([self.tokens[number] for number in numbers]),
            owner,
            torch.from_numpy(np.asarray(rows, np.int64)),
            image_group,
            text_group,
            {role: torch.tensor(places) for role, places in by_role.items()},
            torch.tensor([languages.index(text.language) for _, text in chosen]) if len(languages) > 1 else None,
            concept,
            targets,
            view,
        )

    def _groups(self, owner: Tensor, numbers: Tensor, concept: Tensor | None, pictures: int) -> tuple[Tensor, Tensor]:
        if self.sampling.positives == "concept":
            if concept is None:
                raise InputError("positives by concept need data with a concept for each picture")
            return concept, concept[owner]
        if self.sampling.positives == "picture":
            return torch.arange(pictures), owner
        image_group = -1 - torch.arange(pictures)  # a picture without a text is right for none
        image_group[owner] = numbers
        return image_group, numbers


def see_pictures(pictures: Tensor, crops: Tensor, size: int) -> Tensor:
    """(n, s, s, 3) uint8 -> (n, 3, size, size) floats in [0, 1]."""
    floats = pictures.permute(0, 3, 1, 2).float() / 255
    if size or not is_whole(crops):
        floats = crop(floats, crops, size or floats.shape[-1])
    return floats.contiguous(memory_format=torch.channels_last)


def see_maps(maps: Tensor, crops: Tensor, size: int) -> Tensor:
    """(n, t, channels) -> (n, size * size, channels) floats."""
    floats = maps.float()
    side = round(floats.shape[1] ** 0.5)
    if is_whole(crops) and size in (0, side):
        return floats
    grid = floats.transpose(1, 2).unflatten(2, (side, side))
    return crop(grid, crops, size or side).flatten(2).transpose(1, 2)


def is_whole(crops: Tensor) -> bool:
    return bool((crops == whole(1)).all())


def pad(rows: Sequence[Sequence[int]]) -> Tensor:
    """(n, longest) int64, short rows filled with 0."""
    padded = torch.zeros(len(rows), max(map(len, rows), default=1), dtype=torch.int64)
    for row, ids in enumerate(rows):
        padded[row, : len(ids)] = torch.tensor(ids)
    return padded
