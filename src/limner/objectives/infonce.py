"""InfoNCE over two views of a batch, both directions (van den Oord et al. 2018; Radford et al. 2021, eq. in fig. 3).

Pairs of the same group are positives of one another, with equal weight (supervised contrast, Khosla
et al. 2020): two pictures with the same words are no negatives.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def infonce(left: Tensor, right: Tensor, scale: Tensor, groups: Tensor | None = None) -> Tensor:
    """Scalar loss of unit vectors `left` (n, d) and `right` (n, d); row i belongs to row i.

    `scale`: inverse temperature. `groups` (n,): rows of equal number belong together; None: each alone.
    Chance level is log n.
    """
    logits = scale * left @ right.T
    if groups is None:
        target = torch.arange(len(logits), device=logits.device)
        return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
    positives = (groups[:, None] == groups[None, :]).to(logits.dtype)
    target = positives / positives.sum(1, keepdim=True)  # symmetric: it serves both directions
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2
