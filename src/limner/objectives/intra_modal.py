"""Contrast inside one modality: a picture finds its other view among pictures, a text among texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.contrast import append_negatives, contrast
from limner.objectives.targets import share

Side = Literal["image", "text"]
Keys = Literal["view", "teacher"]


def second_view(features: Features, keys: Keys) -> Features:
    """The batch once more, as the `view` or as the `teacher` has it. Raises InputError where it is not there."""
    if keys not in ("view", "teacher"):
        raise InputError(f"keys are those of the 'view' or of the 'teacher', not of {keys!r}")
    other = features.view if keys == "view" else features.teacher
    if other is None:
        raise InputError(f"keys of a {keys} need a {keys} in the features: add the modifier that makes it")
    return other


@dataclass(frozen=True, slots=True)
class IntraModal:
    """L = -log exp(s <x_i, x_i'>) / sum_j exp(s <x_i, x_j'>), x' the second view of the batch; mean over `sides`.

    Cards 49 (TCL, arXiv 2202.10401), 55 (CLSR), 59, 109; Chen et al. 2020 (SimCLR), He et al. 2020 (MoCo). Things of
    equal group are positives with equal shares: another caption of a picture is no negative. Keys of the teacher
    are without gradient; those of the view have it, and both directions count. A queue gives more negatives.

    Needs vectors, groups and a second view: other crops of the pictures and dropout in the text tower. Stands
    beside a `Contrast`, which alone leaves alike pictures with unlike captions where they are. Use it where
    pictures are searched with pictures, or texts with texts.
    """

    sides: tuple[Side, ...] = ("image", "text")
    keys: Keys = "teacher"
    weight: float = 1.0
    name: str = "intra_modal"

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        other = second_view(features, self.keys)
        return torch.stack([self._of(features, other, side) for side in self.sides]).mean()

    def _of(self, features: Features, other: Features, side: Side) -> Tensor:
        one, two = getattr(features, side), getattr(other, side)
        if one.vectors.requires_grad and torch.equal(one.vectors, two.vectors):
            raise InputError(
                f"both views of the {side}s are the same: vary the pictures, use dropout in the text tower"
            )
        logits = features.scale * one.vectors @ two.vectors.T
        targets = share(one.group[:, None] == two.group[None, :])
        loss = contrast(*_with_queue(features, side, one.vectors, logits, targets))
        if self.keys == "teacher":
            return loss
        return (loss + contrast(*_with_queue(features, side, two.vectors, logits.T, targets.T))) / 2


def _with_queue(
    features: Features, side: Side, vectors: Tensor, logits: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    queue = features.queue
    if queue is None:
        return logits, targets
    keys, numbers, rows = (
        (queue.image, queue.image_rows, features.rows)
        if side == "image"
        else (queue.text, queue.text_rows, features.rows[features.owner])
    )
    return append_negatives(logits, targets, features.scale * vectors @ keys.vectors.T, rows[:, None] == numbers)
