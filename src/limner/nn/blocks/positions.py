"""Learned positions for longer texts than a tower was trained on (card 69, Long-CLIP, arXiv 2403.15378)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from limner.core.errors import InputError


def stretch_positions(table: Tensor, keep: int = 20, factor: int = 4) -> Tensor:
    """(t, width) -> (keep + factor (t - keep), width): 77 rows become 248.

    The first `keep` rows, which short texts trained well, stay. The others are stretched by linear interpolation:

        row keep + factor i + r = (1 - r / factor) p[keep + i] + (r / factor) p[keep + i + 1],   0 <= r < factor

    and the last `factor` rows go on in the direction of the last two of `table`. Raises InputError where `table` has
    less than 2 rows or none behind `keep`, and for a factor below 1.
    """
    rows = len(table)
    if rows < 2 or not 0 <= keep < rows or factor < 1:
        raise InputError(
            f"cannot stretch {rows} positions by {factor} and keep {keep}: keep less, stretch by 1 or more"
        )
    further = torch.cat([table, 2 * table[-1:] - table[-2:-1]])[keep:]
    part = torch.arange(factor, device=table.device, dtype=table.dtype)[None, :, None] / factor
    stretched = (1 - part) * further[:-1, None] + part * further[1:, None]
    return torch.cat([table[:keep], stretched.flatten(0, 1)])


class StretchedPositions(nn.Module):
    """A stretched table of which the first `keep` rows never move; `positions[: t]` gives (t, width).

    For the table of a text tower, see `stretch_tower`.
    """

    kept: Tensor

    def __init__(self, table: Tensor, keep: int = 20, factor: int = 4) -> None:
        super().__init__()
        whole = stretch_positions(table.detach(), keep, factor)
        self.register_buffer("kept", whole[:keep].clone())
        self.stretched = nn.Parameter(whole[keep:].clone())

    def __len__(self) -> int:
        return len(self.kept) + len(self.stretched)

    def __getitem__(self, rows: slice) -> Tensor:
        return torch.cat([self.kept, self.stretched])[rows]


def stretch_tower(tower: nn.Module, keep: int = 20, factor: int = 4) -> None:
    """Let a text tower read longer texts: StretchedPositions take the place of its parameter `positions`."""
    stretched = StretchedPositions(tower.positions, keep, factor)
    del tower.positions  # a module cannot take the name of a parameter
    tower.positions = stretched
