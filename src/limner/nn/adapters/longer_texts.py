"""A text tower reads longer texts than it was trained on (card 69, Long-CLIP, arXiv 2403.15378)."""

from __future__ import annotations

from dataclasses import dataclass

from limner.core.errors import InputError
from limner.nn.blocks.positions import stretch_tower
from limner.nn.two_towers import TwoTowers


@dataclass(frozen=True, slots=True)
class LongerTexts:
    """The first `keep` positions stand still for good, the others are stretched by `factor` (see `stretch_positions`).

    Everything else goes on being trained: `Optimiser.rates` freezes what shall not, an image tower whose vectors are
    already in an index, say.
    """

    keep: int = 20
    factor: int = 4

    def attach(self, model: TwoTowers) -> None:
        """Raises InputError where the text tower has no learned positions, or too few of them."""
        tower = model.text.tower
        if not hasattr(tower, "positions"):
            raise InputError(f"longer texts need a text tower with learned positions, not {type(tower).__name__}")
        stretch_tower(tower, self.keep, self.factor)
