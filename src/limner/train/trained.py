"""A trained model with its tokenizer and data, as evaluations and exports see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from limner.core.features import Encoded
from limner.core.types import Floats
from limner.data.corpus import Corpora, Corpus
from limner.encode.tokenizer import Tokenizer
from limner.nn.two_towers import TwoTowers
from limner.train.augment import whole
from limner.train.batches import pad, see_maps, see_pictures

CHUNK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """`model` holds the averaged weights and is in evaluation mode; `heads` is what the objectives learnt."""

    model: TwoTowers
    heads: nn.ModuleDict
    memory: nn.ModuleDict
    tokenizer: Tokenizer
    corpora: Corpora
    size: int
    """Side that the image tower reads (see Sampling.size)."""
    folder: Path
    other: Callable[[Any], Trained] | None = None
    """(experiment) -> that one, trained with this run's seed: for evaluations that look at several models."""

    @property
    def device(self) -> torch.device:
        return next(self.model.parameters()).device

    @torch.no_grad()
    def encode_images(self, corpus: Corpus) -> Encoded:
        """Every picture, whole."""
        parts = []
        for start in range(0, len(corpus), CHUNK):
            images = torch.from_numpy(np.array(corpus.images[start : start + CHUNK]))
            seen = see(images, self.size).to(self.device)
            parts.append(self.model.encode_image(seen, torch.arange(start, start + len(images))))
        return join(parts)

    @torch.no_grad()
    def encode_texts(self, texts: Sequence[str]) -> Encoded:
        parts = []
        for start in range(0, len(texts), CHUNK):
            ids = pad([self.tokenizer.encode(text) for text in texts[start : start + CHUNK]]).to(self.device)
            parts.append(self.model.encode_text(ids, torch.arange(start, start + len(ids))))
        return join(parts)

    @torch.no_grad()
    def scores(self, images: Encoded, texts: Encoded) -> Floats:
        """(n, m) by the model's own similarity, in blocks."""
        blocks = [
            self.model.similarity(images, texts.take(slice(start, start + CHUNK))).cpu().numpy()
            for start in range(0, len(texts.vectors), CHUNK)
        ]
        return np.concatenate(blocks, axis=1).astype(np.float32)


def see(images: Tensor, size: int) -> Tensor:
    """Stored pictures or maps as the image tower reads them, whole."""
    return (see_pictures if images.ndim == 4 else see_maps)(images, whole(len(images)), size)


def join(parts: Sequence[Encoded]) -> Encoded:
    """One after the other; words are padded to the longest text."""

    def joined(pick: Callable[[Encoded], Tensor | None]) -> Tensor | None:
        values = [value for part in parts if (value := pick(part)) is not None]
        if len(values) < len(parts):
            return None
        longest = max((value.shape[1] for value in values if value.ndim > 1), default=0)
        return torch.cat([_lengthened(value, longest) for value in values])

    return Encoded(
        torch.cat([part.vectors for part in parts]),
        torch.cat([part.group for part in parts]),
        joined(lambda part: part.latent),
        joined(lambda part: part.states),
        joined(lambda part: part.tokens),
        joined(lambda part: part.mask),
        joined(lambda part: part.lexicon),
    )


def _lengthened(value: Tensor, longest: int) -> Tensor:
    if value.ndim == 1 or value.shape[1] == longest:
        return value
    return torch.nn.functional.pad(value, (0, 0) * (value.ndim - 2) + (0, longest - value.shape[1]))
