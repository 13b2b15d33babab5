"""A linear probe: both towers stand still, and only how their states are pooled and projected is trained."""

from __future__ import annotations

from dataclasses import dataclass

from limner.nn.adapters.freezing import encoders, free_projection, freeze
from limner.nn.two_towers import TwoTowers


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """The least that can be adapted: what an adapter inside the towers must beat (card 47)."""

    sides: tuple[str, ...] = ("image", "text")

    def attach(self, model: TwoTowers) -> None:
        freeze(model)
        for encoder in encoders(model, self.sides):
            free_projection(encoder)
