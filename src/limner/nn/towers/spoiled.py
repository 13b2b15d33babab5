"""Two towers whose pictures' vectors are spoiled in a known way: the world in which a similarity must matter.

For the checks of card 28 (GSSF): a similarity that weighs channels mends the first kind of damage, one that lets
neighbouring channels interact mends the second; the cosine mends neither.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.nn.encoders import ImageEncoder, Reading
from limner.nn.two_towers import Towers, TwoTowers

Damage = Literal["noise", "rotation"]


class SpoiledEncoder(ImageEncoder):
    """An ImageEncoder with the same parameters, so that it takes over the weights of a sound one.

    "noise": every second channel says something of the picture that has nothing to do with any text.
    "rotation": the channels 2k and 2k + 1 are turned against one another by an angle of their own, pi/3 to 2 pi/3.
    """

    def __init__(self, encoder: ImageEncoder, damage: Damage, dimension: int) -> None:
        super().__init__(encoder.tower, encoder.width, dimension)
        self.damage = damage
        chance = torch.Generator().manual_seed(0)  # the damage is the same whatever the seed of the weights
        angle = math.pi * (1 + torch.rand(dimension // 2, generator=chance)) / 3
        mixing = torch.randn(dimension, dimension // 2, generator=chance)
        self.register_buffer("cosine", angle.cos(), persistent=False)
        self.register_buffer("sine", angle.sin(), persistent=False)
        self.register_buffer("mixing", mixing, persistent=False)

    def read(self, images: Tensor) -> Reading:
        reading = super().read(images)
        even, odd = reading.vectors.unflatten(1, (-1, 2)).unbind(2)
        if self.damage == "noise":
            # A fast oscillation of the picture's own vector: the same each time, and as good as drawn by chance.
            odd = 2 * (1000 * reading.vectors @ self.mixing).sin() / math.sqrt(reading.vectors.shape[1])
        else:
            even, odd = self.cosine * even - self.sine * odd, self.sine * even + self.cosine * odd
        return reading._replace(vectors=F.normalize(torch.stack([even, odd], 2).flatten(1), dim=-1))


@dataclass(frozen=True, slots=True)
class SpoiledTowers:
    """Settings of TwoTowers with a SpoiledEncoder for pictures; an even number of channels."""

    towers: Towers
    damage: Damage

    def build(self, shape: tuple[int, ...], vocabulary: int, context: int) -> TwoTowers:
        model = self.towers.build(shape, vocabulary, context)
        model.image = SpoiledEncoder(model.image, self.damage, self.towers.dimension)
        return model
