"""A tower with a pool and a projection: what turns pictures or words into unit vectors of one space."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nn.blocks.transformer import masked_mean, rows_by_length
from limner.nn.towers.text_transformer import PADDING


class Reading(NamedTuple):
    """What an encoder makes of n pictures or texts."""

    vectors: Tensor
    """(n, d) unit vectors."""
    latent: Tensor
    """(n, latent width): pooled, before the projection."""
    states: Tensor
    """(n, t, width)"""
    mask: Tensor | None
    """(n, t), True where a state is real; None: all are."""
    lexicon: Tensor | None = None
    """(n, V): see nn/heads/lexicon.py; None: the model has no such head."""


class ImageEncoder(nn.Module):
    """Pictures or maps -> states of a grid -> their mean beside an attended mean -> unit vectors (n, d).

    `reducer`: what makes few tokens of the grid (see nn/blocks/token_reducer.py); None: each place is one.
    """

    def __init__(self, tower: nn.Module, width: int, dimension: int, reducer: nn.Module | None = None) -> None:
        super().__init__()
        self.tower, self.width, self.latent_width = tower, width, 2 * width
        self.reducer = reducer
        self.attention = nn.Linear(width, 1)
        self.project = nn.Linear(self.latent_width, dimension)

    def read(self, images: Tensor) -> Reading:
        states = self.tower(images)
        attended = (self.attention(states).softmax(1) * states).sum(1)
        latent = torch.cat([states.mean(1), attended], dim=-1)
        return Reading(self.project_latent(latent), latent, states, None)

    def forward(self, images: Tensor) -> Tensor:
        return self.read(images).vectors

    def project_latent(self, latent: Tensor) -> Tensor:
        """(..., latent width) -> (..., d) unit vectors."""
        return F.normalize(self.project(latent).float(), dim=-1)

    def project_states(self, states: Tensor) -> Tensor:
        """(n, t, width) -> (n, t, d) unit vectors: a place as if it were the whole picture."""
        return self.project_latent(torch.cat([states, states], dim=-1))

    def tokens(self, states: Tensor) -> Tensor:
        """States of the grid (n, t, width) -> (n, tokens, d) unit vectors: what is compared with words."""
        return self.project_states(states if self.reducer is None else self.reducer(states))


class TextEncoder(nn.Module):
    """Token ids (n, t), 0 is padding -> states of the words -> their mean -> unit vectors (n, d)."""

    def __init__(self, tower: nn.Module, width: int, dimension: int) -> None:
        super().__init__()
        self.tower, self.width, self.latent_width = tower, width, width
        self.project = nn.Linear(width, dimension)

    def read(self, ids: Tensor) -> Reading:
        states, mask = self.tower(ids)
        latent = masked_mean(states, mask)
        return Reading(F.normalize(self.project(latent).float(), dim=-1), latent, states, mask)

    def forward(self, ids: Tensor) -> Tensor:
        return self.read(ids).vectors

    def project_states(self, states: Tensor) -> Tensor:
        return F.normalize(self.project(states).float(), dim=-1)

    def tokens(self, states: Tensor) -> Tensor:
        """States of the words (n, t, width) -> (n, t, d) unit vectors."""
        return self.project_states(states)


def read_in_buckets(read: Callable[[Tensor], Reading], ids: Tensor, buckets: int) -> Reading:
    """`read(ids)` of (n, t) without computing most of the padding: texts of like length go together."""
    chosen = rows_by_length(ids != PADDING, buckets)
    parts = [read(ids[rows, :longest]) for rows, longest in chosen]
    longest = max(part.states.shape[1] for part in parts)
    back = torch.cat([rows for rows, _ in chosen]).argsort()

    def padded(value: Tensor) -> Tensor:
        return F.pad(value, (0, 0) * (value.ndim - 2) + (0, longest - value.shape[1]))

    return Reading(
        torch.cat([part.vectors for part in parts])[back],
        torch.cat([part.latent for part in parts])[back],
        torch.cat([padded(part.states) for part in parts])[back],
        torch.cat([padded(part.mask) for part in parts])[back],
        None if parts[0].lexicon is None else torch.cat([part.lexicon for part in parts])[back],
    )
