"""A temperature for each pair: negatives of near meaning are pushed apart less (card 55, CLSR)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.targets import owned, positives, share


@torch.no_grad()
def semantic_guidance(features: Features) -> Tensor:
    """u (n, m), from -1 to 1, without gradient: how near picture i with its texts is to text j with its picture.

    u_ij = (cos(t_i, t_j) + cos(x_i, x_j)) / 2, where x_j is the picture that text j was written for, and of
    several texts t_i of picture i the mean cosine counts; a picture without texts has the picture half alone.
    """
    texts, pictures = features.text.vectors, features.image.vectors
    return ((share(owned(features)).to(texts.dtype) @ texts) @ texts.T + pictures @ pictures[features.owner].T) / 2


@torch.no_grad()
def nearness(guidance: Tensor, negative: Tensor) -> Tensor:
    """Guidance (n, m) -> how far each is above the mean of the `negative` (n, m) bool; 0 where it is below."""
    mean = guidance[negative].mean() if negative.any() else 0
    return (guidance - mean).clamp(min=0)


@dataclass(frozen=True, slots=True)
class SemanticTemperature:
    """tau_ij = tau (1 + kappa max(0, u_ij - mean u)) for negatives, tau for positives (card 55, CLSR, doi
    10.1109/ICTAI59109.2023.00137; the formula is our reconstruction); u: see `semantic_guidance`.

    The `temperature` of a `Contrast`. Needs vectors, groups and owners. Against `Softened` targets: near negatives
    keep no mass, they are only pushed less. Use it where captions nearly repeat one another. Guidance is without
    gradient and kappa below 1. It is measured from the mean of the batch's negatives: with 1 + kappa u alone a model
    to which everything is alike has cooler positives than negatives for nothing, and training from scratch ends there.
    """

    kappa: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.kappa < 1:
            raise InputError(f"kappa of a semantic temperature lies from 0 to below 1; it is {self.kappa}")

    def __call__(self, features: Features) -> Tensor:
        """(n, m) factors of the temperature, from 1 to 3."""
        right = positives(features)
        return (1 + self.kappa * nearness(semantic_guidance(features), ~right)).masked_fill(right, 1.0)
