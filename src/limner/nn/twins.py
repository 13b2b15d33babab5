"""Two networks of one kind that are trained side by side, each from a beginning of its own (card 99)."""

from __future__ import annotations

from dataclasses import dataclass

from limner.nn.two_towers import Towers, TwoTowers


@dataclass(frozen=True, slots=True)
class Twins:
    """Settings of a TwoTowers that brings a second one as `partner`; what is searched with is the first, alone."""

    towers: Towers = Towers()

    def build(self, shape: tuple[int, ...], vocabulary: int, context: int) -> TwoTowers:
        """See Towers.build."""
        model = self.towers.build(shape, vocabulary, context)
        model.partner = self.towers.build(shape, vocabulary, context)
        return model
