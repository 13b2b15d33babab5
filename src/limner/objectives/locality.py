"""Two forms of an item (its picture, its title, both) stay near one another and keep the same neighbours
(card 100, eSSPR, arXiv 2302.05093)."""

from __future__ import annotations

import torch
from torch import Tensor

from limner.objectives.hinge import All, ranking_hinge


def locality(scores: Tensor, partial: Tensor, nearest: int = 10, slack: float = 0.01) -> Tensor:
    """Leaving a part of an item out must not change its neighbourhood; -> scalar.

    mean over i and the `nearest` j by D of [(D_ij - D'_ij)^2 - slack]+, where D = `scores` (n, m) are those of the
    whole items and D' = `partial` (n, m) those of one part of them, both against the same m others.
    """
    near = scores.detach().topk(min(nearest, scores.shape[1]), dim=1).indices
    moved = ((scores.gather(1, near) - partial.gather(1, near)) ** 2 - slack).clamp(min=0)
    return moved.sum() / max(1, moved.numel())


def self_distinctiveness(partial: Tensor, whole: Tensor, group: Tensor, margin: float = 0.2) -> Tensor:
    """An item is found by a part of itself among the other items of the batch; -> scalar.

    The ranking hinge over all negatives between `partial` and `whole` (n, d), unit vectors of the same items in
    the same order; `group` (n,): items of one product are never each other's negatives.
    """
    itself = torch.eye(len(group), dtype=torch.bool, device=group.device)
    other = group[:, None] != group[None, :]
    return ranking_hinge(partial @ whole.T, itself, margin, All(), negative=other, to_pictures=0)
