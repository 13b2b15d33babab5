"""Whole against parts: a vector finds the places or words of its own item among those of all others."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Encoded, Features
from limner.nn.blocks.tokens import token_vectors, word_mask
from limner.objectives.contrast import contrast
from limner.objectives.intra_modal import Keys, Side, second_view
from limner.objectives.targets import share


def pool_grid(tokens: Tensor) -> Tensor:
    """(n, side^2, d) -> (n, cells^2, d) unit vectors, cells about sqrt(side) but 2 at least: 16 x 16 -> 4 x 4.

    Raises InputError for places that are no square grid.
    """
    side = math.isqrt(tokens.shape[1])
    if side**2 != tokens.shape[1]:
        raise InputError(f"pooling needs a square grid of places; a picture has {tokens.shape[1]}")
    cells = min(side, max(2, round(math.sqrt(side))))
    grid = tokens.transpose(1, 2).unflatten(2, (side, side))
    return F.normalize(F.adaptive_avg_pool2d(grid, cells).flatten(2).transpose(1, 2), dim=-1)


def local_global(vectors: Tensor, parts: Tensor, real: Tensor, group: Tensor, scale: Tensor) -> Tensor:
    """Each of its own parts must stand out for a vector against the parts of all other groups; -> scalar.

    vectors (n, d); parts (n, p, d) of the same items; real (n, p) bool; group (n,). Items count alike, however
    many parts they have. One's own parts never stand against one another.
    """
    scores = (scale * torch.einsum("id,jpd->ijp", vectors, parts)).float()
    left_out = (group[:, None] == group[None, :])[:, :, None] | ~real[None, :, :]
    # All negatives of an item as one logit: softmax over (own part, negative) is that over own part and all of them.
    negative = scores.masked_fill(left_out, torch.finfo(scores.dtype).min).flatten(1).logsumexp(1)
    positive = scores.diagonal(dim1=0, dim2=1).T
    logits = torch.stack([positive, negative[:, None].expand_as(positive)], -1)[real]
    targets = logits.new_tensor([1.0, 0.0]).expand_as(logits)
    # `contrast` takes the mean over parts; these weights make it the mean over items of their parts' means.
    return contrast(logits, targets, share(real)[real] * real.sum() / real.any(1).sum())


@dataclass(frozen=True, slots=True)
class LocalGlobal:
    """L = -mean over parts l of item i of log exp(s <x_i, l>) / (exp(s <x_i, l>) + sum over parts l' of other
    items exp(s <x_i, l'>)); the mean over `sides` (card 49, TCL, arXiv 2202.10401: local mutual information).

    The parts of a picture are its places, pooled on the grid; those of a text its words. Those of the teacher are
    without gradient, as in the paper; those of the view have it.

    Needs vectors, groups and a second view with tokens. Beside `IntraModal`, which compares wholes. Use it where
    captions speak of small things that the pooled vector loses.
    """

    sides: tuple[Side, ...] = ("image", "text")
    keys: Keys = "teacher"
    weight: float = 1.0
    name: str = "local_global"

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        other = second_view(features, self.keys)
        return torch.stack([self._of(features, getattr(other, side), side) for side in self.sides]).mean()

    def _of(self, features: Features, other: Encoded, side: Side) -> Tensor:
        one = getattr(features, side)
        if side == "text":
            return local_global(one.vectors, token_vectors(other), word_mask(other), one.group, features.scale)
        parts = pool_grid(token_vectors(other))
        real = torch.ones(parts.shape[:2], dtype=torch.bool, device=parts.device)
        return local_global(one.vectors, parts, real, one.group, features.scale)
