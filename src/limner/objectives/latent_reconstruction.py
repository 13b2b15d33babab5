"""Rebuild from a vector of the common space what the towers knew before the projection (card 55, CLSR)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Encoded, Features


def decoder(dimension: int, hidden: int, width: int) -> nn.Sequential:
    """A 2-layer MLP (n, dimension) -> (n, width)."""
    return nn.Sequential(nn.Linear(dimension, hidden), nn.GELU(), nn.Linear(hidden, width))


class LatentDecoders(nn.Module):
    """Decoders from each vector to each latent, and what brings the latents to unit variance."""

    def __init__(self, dimension: int, hidden: int, image_width: int, text_width: int, own: bool) -> None:
        super().__init__()
        self.image_scale = nn.BatchNorm1d(image_width, affine=False)
        self.text_scale = nn.BatchNorm1d(text_width, affine=False)
        self.image_to_text = decoder(dimension, hidden, text_width)
        self.text_to_image = decoder(dimension, hidden, image_width)
        self.image_to_image = decoder(dimension, hidden, image_width) if own else None
        self.text_to_text = decoder(dimension, hidden, text_width) if own else None


@dataclass(frozen=True, slots=True)
class LatentReconstruction:
    """L = |D_t(x) - h^t|^2 + |D_x(t) - h^x|^2, and with `own` + |D'_x(x) - h^x|^2 + |D'_t(t) - h^t|^2, each the mean
    over pairs and channels (card 55, CLSR; the formula is our reconstruction).

    h are the latents before the projection, without gradient, each channel brought to mean 0 and variance 1 over
    the batch: a term of 1 is what knowing nothing costs. Rebuilding the projected vectors would be trivial.

    Needs vectors, owners and latents. Stands beside a `Contrast`; use it to keep in the vectors what the captions
    of the batch do not ask for, and to narrow the gap between the modalities. The card's weights are 0.1 to 1.
    """

    own: bool = True
    hidden: int = 512
    weight: float = 0.1
    name: str = "latent_reconstruction"

    def head(self, model: Any) -> LatentDecoders:
        return LatentDecoders(model.dimension, self.hidden, model.image.latent_width, model.text.latent_width, self.own)

    def __call__(self, features: Features, head: LatentDecoders) -> Tensor:
        image, text, owner = features.image, features.text, features.owner
        of_image, of_text = _scaled(head.image_scale, image), _scaled(head.text_scale, text)
        # The expectation over pairs: each text with its picture.
        loss = F.mse_loss(head.image_to_text(image.vectors)[owner], of_text)
        loss = loss + F.mse_loss(head.text_to_image(text.vectors), of_image[owner])
        if head.image_to_image is not None and head.text_to_text is not None:
            loss = loss + F.mse_loss(head.image_to_image(image.vectors), of_image)
            loss = loss + F.mse_loss(head.text_to_text(text.vectors), of_text)
        return loss


def _scaled(scale: nn.BatchNorm1d, encoded: Encoded) -> Tensor:
    """(n, w) the latents as targets."""
    if encoded.latent is None:
        raise InputError("latent reconstruction needs the latents of both towers: keep them in the features")
    if scale.training and len(encoded.latent) < 2:
        raise InputError("latent reconstruction needs 2 pictures a batch at least: raise the batch size")
    return scale(encoded.latent.detach().float())
