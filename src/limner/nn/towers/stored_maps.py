"""An image tower that is no tower: the maps of a frozen encoder, computed once, as they are (card 29)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from limner.core.errors import InputError


class StoredMaps(nn.Module):
    """Maps (n, t, width) -> the same."""

    def forward(self, maps: Tensor) -> Tensor:
        return maps


@dataclass(frozen=True, slots=True)
class StoredTower:
    """Settings of StoredMaps. `width`: channels of the maps."""

    width: int = 96

    def build(self, shape: tuple[int, ...]) -> StoredMaps:
        """`shape`: (t, channels) of one map. Raises InputError for other channels."""
        if shape[-1] != self.width:
            raise InputError(f"maps of {shape[-1]} channels, but a tower of width {self.width} was asked for")
        return StoredMaps()
