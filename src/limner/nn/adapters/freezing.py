"""What adapters share: freezing a model, and a tower that runs without a graph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from limner.core.errors import InputError
from limner.nn.encoders import ImageEncoder, TextEncoder
from limner.nn.two_towers import TwoTowers


def freeze(model: nn.Module) -> None:
    """No gradients; dropout and batch norms behave as in evaluation for good, whatever `train()` says."""
    model.requires_grad_(False)
    for part in model.modules():
        if isinstance(part, _BatchNorm | _DropoutNd):
            part.register_forward_pre_hook(_hold_still)


def _hold_still(part: nn.Module, _inputs: Any) -> None:
    part.eval()


def encoders(model: TwoTowers, sides: Sequence[str]) -> Iterator[ImageEncoder | TextEncoder]:
    """Those of the sides "image" and "text". Raises InputError for another name, or for none."""
    if not sides or set(sides) - {"image", "text"}:
        raise InputError(f"sides {tuple(sides)}: an adapter works on 'image', 'text' or both")
    return (getattr(model, side) for side in sides)


def free_projection(encoder: ImageEncoder | TextEncoder) -> None:
    """How the states are pooled and projected is trained."""
    encoder.project.requires_grad_(True)
    if isinstance(encoder, ImageEncoder):
        encoder.attention.requires_grad_(True)


def blocks_of(tower: nn.Module) -> nn.ModuleList | nn.Sequential:
    """Its transformer blocks. Raises InputError where it has none."""
    blocks = getattr(tower, "blocks", None)
    if not blocks:
        raise InputError(f"{type(tower).__name__} has no transformer blocks for this adapter: build it with depth > 0")
    return blocks


class FrozenTower(nn.Module):
    """A trunk that runs without an autograd graph; subclasses change the states that it gives."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Pictures -> states (n, t, width); ids -> states and mask (n, t): what the trunk itself would give."""
        hidden, states, mask = self.read(x)
        states = self.change(hidden, states, mask)
        return states if mask is None else (states, mask)

    def read(self, x: Tensor) -> tuple[list[Tensor], Tensor, Tensor | None]:
        """What each transformer block was given (n, t, width), the last states, the mask of a text."""
        hidden: list[Tensor] = []

        def keep(block: nn.Module, inputs: tuple[Any, ...]) -> None:
            hidden.append(inputs[0])

        hooks = [block.register_forward_pre_hook(keep) for block in getattr(self.trunk, "blocks", ())]
        try:
            with torch.no_grad():
                read = self.trunk(x)
        finally:
            for hook in hooks:
                hook.remove()
        return (hidden, *read) if isinstance(read, tuple) else (hidden, read, None)

    def change(self, hidden: list[Tensor], states: Tensor, mask: Tensor | None) -> Tensor:
        raise NotImplementedError
