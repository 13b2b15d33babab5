"""Only the norms are trained, and the biases (Ben Zaken et al. 2022, "BitFit"; Basu et al. 2023, "Strong Baselines
for Parameter Efficient Few-Shot Fine-tuning"; card 69 trains the norms of a text tower)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from limner.nn.adapters.freezing import encoders, freeze
from limner.nn.two_towers import TwoTowers


@dataclass(frozen=True, slots=True)
class LayerNorms:
    """`biases`: those of all other layers, too. The means of batch norms stand still."""

    biases: bool = True
    sides: tuple[str, ...] = ("image", "text")

    def attach(self, model: TwoTowers) -> None:
        freeze(model)
        for encoder in encoders(model, self.sides):
            for part in encoder.modules():
                if isinstance(part, nn.LayerNorm | _BatchNorm):
                    part.requires_grad_(True)
                elif self.biases and isinstance(getattr(part, "bias", None), nn.Parameter):
                    part.bias.requires_grad_(True)
