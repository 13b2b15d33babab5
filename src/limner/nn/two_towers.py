"""Two towers that meet in one space: the model of nearly every recipe (CLIP, ALIGN; card 17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from limner.core.features import Encoded
from limner.nn.blocks.similarity import Cosine, SimilarityPart
from limner.nn.encoders import ImageEncoder, Reading, TextEncoder, read_in_buckets
from limner.nn.heads.join import Join
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower

MOST_SCALE = 4.6052
"""log 100: the bound of CLIP on its inverse temperature."""
BUCKETS = 4


class ImageTowerPart(Protocol):
    width: int

    def build(self, shape: tuple[int, ...]) -> nn.Module: ...


class TextTowerPart(Protocol):
    width: int

    def build(self, vocabulary: int, context: int) -> nn.Module: ...


class TwoTowers(nn.Module):
    """`scale`: learned inverse temperature, at most 100. `tokens`: whether states are projected, too."""

    def __init__(
        self, image: ImageEncoder, text: TextEncoder, similarity: nn.Module, dimension: int, *, tokens: bool
    ) -> None:
        super().__init__()
        self.image, self.text, self.similarity = image, text, similarity
        self.dimension, self.tokens = dimension, tokens
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def scale(self) -> Tensor:
        return self.log_scale.clamp(0, MOST_SCALE).exp()

    def encode_image(self, images: Tensor, group: Tensor) -> Encoded:
        return self._encoded(self.image, self.image.read(images), group)

    def encode_text(self, ids: Tensor, group: Tensor) -> Encoded:
        return self._encoded(self.text, read_in_buckets(self.text.read, ids, BUCKETS), group)

    def _encoded(self, encoder: ImageEncoder | TextEncoder, reading: Reading, group: Tensor) -> Encoded:
        vectors, latent, states, mask = reading
        tokens = encoder.project_states(states) if self.tokens else None
        return Encoded(vectors, group, latent.float(), states.float(), tokens, mask)


@dataclass(frozen=True, slots=True)
class Towers:
    """Settings of TwoTowers. `dimension`: of the common space."""

    image: ImageTowerPart = MapTower()
    text: TextTowerPart = TextTower()
    dimension: int = 128
    similarity: SimilarityPart = Cosine()
    tokens: bool = False
    join: Join | None = None
    """The part that makes one vector of a picture and a text together (card 100)."""

    def build(self, shape: tuple[int, ...], vocabulary: int, context: int) -> TwoTowers:
        """`shape`: of what the image tower reads, one picture. The seed of torch decides the weights."""
        image = ImageEncoder(self.image.build(shape), self.image.width, self.dimension)
        text = TextEncoder(self.text.build(vocabulary, context), self.text.width, self.dimension)
        model = TwoTowers(image, text, self.similarity.build(self.dimension), self.dimension, tokens=self.tokens)
        if self.join:
            model.join = self.join.build(self.image.width, self.text.width, self.dimension)
        return model
