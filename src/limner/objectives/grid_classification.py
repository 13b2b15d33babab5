"""Classification of every place of a picture: what a backbone learns from scenes whose truth is known.

L = mean over kinds of fact and places of the cross-entropy between a linear reading of the place's state and
the truth (shape, colour, pattern of what is there); a place where something is counts `thing` times.

Needs    features.image.states; features.targets["grid"] (n, t, kinds) int64
Use      to make a frozen backbone from drawn scenes; the photographs' counterpart is an ImageNet classifier
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features


def grid_classification(logits: Tensor, labels: Tensor, classes: tuple[int, ...], thing: float = 1.0) -> Tensor:
    """`logits` (n, t, sum of classes), `labels` (n, t, kinds) with labels of kind k below classes[k].

    A place where the first kind has label 0 is empty.
    """
    labels = labels.flatten(0, 1)
    parts = logits.float().flatten(0, 1).split(classes, dim=-1)
    losses = [F.cross_entropy(part, labels[:, kind], reduction="none") for kind, part in enumerate(parts)]
    weights = torch.where(labels[:, 0] > 0, thing, 1.0)
    return (torch.stack(losses).mean(0) * weights).sum() / weights.sum()


@dataclass(frozen=True, slots=True)
class GridClassification:
    classes: tuple[int, ...]
    """Number of classes of each kind of fact."""
    thing: float = 4.0
    """How much more a place with an object counts than an empty one."""
    weight: float = 1.0
    name: str = "grid"

    def head(self, model: Any) -> nn.Module:
        return nn.Linear(model.image.width, sum(self.classes))

    def __call__(self, features: Features, head: nn.Module) -> Tensor:
        if features.image.states is None or "grid" not in features.targets:
            raise InputError("grid classification needs states of the pictures and the target 'grid'")
        return grid_classification(head(features.image.states), features.targets["grid"], self.classes, self.thing)
