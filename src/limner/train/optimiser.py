"""AdamW, its schedule, and which parameters move how fast."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from limner.core.errors import InputError


@dataclass(frozen=True, slots=True)
class Optimiser:
    """AdamW, linear warm-up, cosine decay to zero, gradients clipped, weights averaged (EMA).

    `rates`: (pattern of parameter names, factor of the rate) pairs, the first that matches counts; factor 0
    freezes. `layer_decay`: each block of a tower learns that much slower than the next one (1: all alike).
    """

    rate: float = 1e-3
    steps: int = 400
    warmup: int = 40
    decay: float = 0.05
    clip: float = 1.0
    average: float = 0.998
    rates: tuple[tuple[str, float], ...] = ()
    layer_decay: float = 1.0

    def rate_at(self, step: int) -> float:
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))

    def build(self, modules: Iterable[nn.Module]) -> torch.optim.AdamW:
        """Over every parameter of the modules that is to move; freezes those with factor 0.

        Vectors (norms, biases, scales) are not decayed: shrinking them only fights the norm layers.
        """
        groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
        named = [pair for module in modules for pair in module.named_parameters()]
        depth = 1 + max((_block(name) for name, _ in named), default=0)
        for name, parameter in named:
            factor = self._factor(name) * self.layer_decay ** (depth - 1 - _block(name) if _block(name) >= 0 else 0)
            if factor == 0:
                parameter.requires_grad_(False)
            if parameter.requires_grad:
                groups.setdefault((factor, parameter.ndim > 1), []).append(parameter)
        if not groups:
            raise InputError("nothing to train: every parameter is frozen")
        return torch.optim.AdamW(
            [
                {"params": parameters, "factor": factor, "weight_decay": self.decay if decayed else 0.0}
                for (factor, decayed), parameters in groups.items()
            ],
            lr=self.rate,
            betas=(0.9, 0.98),
            fused=True,  # one pass over the weights instead of a dozen
        )

    def set_rate(self, optimiser: torch.optim.Optimizer, step: int) -> None:
        for group in optimiser.param_groups:
            group["lr"] = group["factor"] * self.rate_at(step)

    def _factor(self, name: str) -> float:
        return next((factor for pattern, factor in self.rates if re.search(pattern, name)), 1.0)


def _block(name: str) -> int:
    """The number of the tower's block that a parameter belongs to; -1: of none."""
    found = re.search(r"\.blocks\.(\d+)\.", name)
    return int(found[1]) if found else -1


@torch.no_grad()
def move_average(averaged: nn.Module, model: nn.Module, keep: float) -> None:
    """averaged <- keep * averaged + (1 - keep) * model; what is no float is copied."""
    pairs = list(zip(averaged.state_dict().values(), model.state_dict().values(), strict=True))
    floats = [(mean, value.to(mean)) for mean, value in pairs if mean.dtype.is_floating_point]
    torch._foreach_lerp_([mean for mean, _ in floats], [value for _, value in floats], 1 - keep)
    for mean, value in pairs:
        if not mean.dtype.is_floating_point:
            mean.copy_(value)
