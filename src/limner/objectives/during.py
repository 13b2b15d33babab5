"""An objective for a part of the training only: a gentle loss first, then the strict one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.core.protocols import Objective


@dataclass(frozen=True, slots=True)
class During:
    """`objective` while `since` <= progress < `until` (the end included for 1); zero before and after.

    Needs what the objective needs. The papers of cards 91 and 99 begin with all negatives and go over to the
    hardest: two `RankingHinge` of different names, each during its part.
    """

    objective: Objective
    since: float = 0.0
    until: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.since < self.until <= 1:
            raise InputError(f"{self.objective.name} from {self.since} to {self.until}: choose 0 <= since < until <= 1")

    @property
    def name(self) -> str:
        return self.objective.name

    @property
    def weight(self) -> float:
        return self.objective.weight

    def head(self, model: Any) -> Any:
        return self.objective.head(model)

    def __call__(self, features: Features, head: Any) -> Tensor:
        on = self.since <= features.progress and (features.progress < self.until or self.until == 1)
        return self.objective(features, head) if on else 0 * features.image.vectors.sum()
