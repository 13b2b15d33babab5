"""Feature matching: learn to see what a teacher sees, place by place, and to land where it lands
(Romero et al. 2015, "FitNets: Hints for Thin Deep Nets")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features


def feature_matching(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean cosine distance (0 to 2) of `student` (..., d) to `teacher` (..., d)."""
    return 1 - F.cosine_similarity(student.float(), teacher.float(), dim=-1).mean()


@dataclass(frozen=True, slots=True)
class Land:
    """1 - cos(x, x_teacher): each picture's vector where a teacher put the same picture.

    Needs the teacher's pictures (modifiers TargetTeacher, TrainedTeacher), in a space of the same dimension. Beside
    a `Contrast` with the words that the teacher met: the picture arrives where the words already are, also when it
    has no caption. `See` matches places, this one the end of the way.
    """

    weight: float = 1.0
    name: str = "land"

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None) -> Tensor:
        if features.teacher is None:
            raise InputError("to land where a teacher lands needs a teacher: add the modifier TargetTeacher")
        return feature_matching(features.image.vectors, features.teacher.image.vectors)


@dataclass(frozen=True, slots=True)
class See:
    """1 - cos(A s_p, m_p), the mean over the places p: a linear map A of each state s_p tells what a frozen backbone
    sees there (the hint layer of FitNets).

    Needs states and the target `target` (n, t, channels), a grid of as many places that is cropped like the picture.
    `channels`: of that target. Use it to bring up an image tower on few pictures; it needs no words.
    """

    channels: int
    target: str = "maps"
    weight: float = 1.0
    name: str = "see"

    def head(self, model: Any) -> nn.Linear:
        return nn.Linear(model.image.width, self.channels)

    def __call__(self, features: Features, head: nn.Linear) -> Tensor:
        maps = features.targets.get(self.target)
        states = features.image.states
        if maps is None or states is None:
            raise InputError(f"to see what a backbone sees needs states and the target {self.target!r} in the data")
        if maps.shape[1] != states.shape[1]:
            raise InputError(
                f"the tower has {states.shape[1]} places, {self.target!r} {maps.shape[1]}: they must agree"
            )
        return feature_matching(head(states), maps)
