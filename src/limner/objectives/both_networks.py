"""An objective asked of two networks that are trained side by side, each with a head of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features
from limner.core.protocols import Objective


@dataclass(frozen=True, slots=True)
class BothNetworks:
    """The sum of `objective` over the model and its partner, with what the objective needs of each.

    Networks that learn the same from different beginnings err differently: each can judge the data for the other
    (Han et al. 2018, "Co-teaching"; card 99). Needs the model `Twins` and the modifier `Partner`.
    """

    objective: Objective

    @property
    def name(self) -> str:
        return self.objective.name

    @property
    def weight(self) -> float:
        return self.objective.weight

    def head(self, model: Any) -> nn.ModuleList | None:
        heads = [self.objective.head(model) for _ in range(2)]
        return None if heads[0] is None else nn.ModuleList(heads)

    def __call__(self, features: Features, head: Any) -> Tensor:
        if features.partner is None:
            raise InputError(f"{self.name}: no second network; add the model Twins and the modifier Partner")
        first, second = (None, None) if head is None else head
        return self.objective(features, first) + self.objective(features.partner, second)
