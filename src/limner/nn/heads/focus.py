"""Several focused vectors of one picture: pooling with learnt prompts (card 119, SORCE, arXiv 2505.24441)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from limner.core.errors import InputError

QUADRANTS = ("top left", "top right", "bottom left", "bottom right")
"""What the position prompts ask for, in this order."""
_SHARPNESS = 20.0


class FocusedPooling(nn.Module):
    """States of a grid of places (n, t, width) -> latents (n, K, 2 * width), of K prompts.

    Each prompt k pools as `ImageEncoder` pools the whole picture, with a query and a region of its own:

        latent_k = [ sum_p r_kp s_p ; sum_p a_kp s_p ],   a_k = softmax over p of (q_k . s_p + log r_kp)

    r_k: weights of the places, of sum 1. All count the same where there is no region; else a place counts the less
    the further it lies outside of the region, r_kp ~ exp(-sharpness * distance), with one learnt sharpness.

    The paper asks a multimodal language model for parts of the picture in words; learnt queries that attend over
    the places stand for its prompts here.
    """

    def __init__(self, width: int, prompts: int, *, quadrants: bool) -> None:
        """`quadrants`: the four quadrants are the regions of the four prompts; else there are none."""
        super().__init__()
        self.queries = nn.Parameter(torch.randn(prompts, width) / width)
        self.quadrants = quadrants
        if quadrants:
            self.log_sharpness = nn.Parameter(torch.tensor(math.log(_SHARPNESS)))

    def forward(self, states: Tensor) -> Tensor:
        scores = torch.einsum("kw,ntw->nkt", self.queries, states).float()
        prior = self.prior(states.shape[1])
        regions = prior.softmax(-1).to(states.dtype)
        attention = (scores + prior).softmax(-1).to(states.dtype)
        pooled = torch.einsum("kt,ntw->nkw", regions, states)
        return torch.cat([pooled, attention @ states], -1)

    def prior(self, places: int) -> Tensor:
        """log r, (K, places), but for a constant. Raises InputError for quadrants of what is no square grid."""
        if not self.quadrants:
            return self.queries.new_zeros(len(self.queries), places)
        return -self.log_sharpness.exp() * quadrant_distances(places).to(self.queries)


@dataclass(frozen=True, slots=True)
class Focus:
    """Settings of a FocusedPooling.

    `prompts`: "position", one for each quadrant; "content", `count` of them that look where they learn to look.
    """

    prompts: Literal["position", "content"] = "position"
    count: int = len(QUADRANTS)

    def build(self, width: int) -> FocusedPooling:
        """Raises InputError for other than four position prompts."""
        if self.prompts == "position" and self.count != len(QUADRANTS):
            raise InputError(f"{self.count} position prompts: there are {len(QUADRANTS)} quadrants")
        return FocusedPooling(width, self.count, quadrants=self.prompts == "position")


def quadrant_distances(places: int) -> Tensor:
    """(4, places): how far the middle of each place lies outside of each quadrant, in sides of the picture."""
    side = math.isqrt(places)
    if side * side != places:
        raise InputError(f"position prompts need a square grid of places, not {places} of them")
    middle = (torch.arange(side) + 0.5) / side
    outside = torch.stack([(middle - 0.5).clamp(min=0), (0.5 - middle).clamp(min=0)])
    down, across = outside[[0, 0, 1, 1]], outside[[0, 1, 0, 1]]
    return torch.hypot(down[:, :, None], across[:, None, :]).flatten(1)
