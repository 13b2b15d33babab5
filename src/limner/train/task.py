"""What is trained: a model, its losses, the optimiser and the averaged weights, saved and restored as one."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

Losses = Callable[[nn.Module, Any], Mapping[str, Tensor]]
"""(model, batch) -> named scalar losses, which are added up."""


@dataclass(frozen=True, slots=True)
class Optimiser:
    """AdamW, linear warm-up, cosine decay to zero, gradients clipped, weights averaged (EMA)."""

    rate: float
    steps: int
    warmup: int
    decay: float = 0.05
    clip: float = 1.0
    average: float = 0.998

    def rate_at(self, step: int) -> float:
        if step < self.warmup:
            return self.rate * (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.rate * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


class Task:
    def __init__(self, model: nn.Module, losses: Losses, optimiser: Optimiser, *, half: bool = False) -> None:
        """`half`: run the model in bfloat16 where that is safe (autocast). Frozen parameters stay as they are."""
        self.model, self.losses, self.settings, self.half = model, losses, optimiser, half
        self.device = next(model.parameters()).device
        self.averaged = copy.deepcopy(model).eval().requires_grad_(False)
        trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        # Vectors (norms, biases, scales) are not decayed: shrinking them only fights the norm layers.
        groups = [
            {"params": [p for p in trained if p.ndim > 1], "weight_decay": optimiser.decay},
            {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=optimiser.rate, betas=(0.9, 0.98))

    def step(self, number: int, batch: Any) -> dict[str, float]:
        """One update; gives the losses by name."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.settings.rate_at(number)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            losses = self.losses(self.model, batch)
        self.optimiser.zero_grad(set_to_none=True)
        sum(losses.values()).backward()
        nn.utils.clip_grad_norm_((p for p in self.model.parameters() if p.requires_grad), self.settings.clip)
        self.optimiser.step()
        self._average(number)
        return {name: loss.item() for name, loss in losses.items()}

    @torch.no_grad()
    def _average(self, number: int) -> None:
        keep = min(self.settings.average, (number + 1) / (number + 10))
        for mean, value in zip(self.averaged.state_dict().values(), self.model.state_dict().values(), strict=True):
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
