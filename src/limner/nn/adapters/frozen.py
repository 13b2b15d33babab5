"""Whole sides stand still, the others learn (Zhai et al. 2022, "LiT": one tower locked, the other meets it)."""

from __future__ import annotations

from dataclasses import dataclass

from limner.nn.adapters.freezing import encoders, freeze
from limner.nn.two_towers import TwoTowers


@dataclass(frozen=True, slots=True)
class Frozen:
    """Towers of these sides with all that brings their states into the common space."""

    sides: tuple[str, ...] = ("text",)

    def attach(self, model: TwoTowers) -> None:
        for encoder in encoders(model, self.sides):
            freeze(encoder)
