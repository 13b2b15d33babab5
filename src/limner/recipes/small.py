"""`small`, the model in the package: trained from scratch on Flickr8k, taught by a frozen ImageNet backbone.

Two stages over the same loop. First words: a text transformer learns to meet the frozen teacher's
features of the training photographs (InfoNCE; the towers of card 017, the frozen side of card 029).
Then sight: an image tower learns to see what the teacher sees, place by place, to land where the teacher's
picture landed, and to meet the words itself. Photographs without captions teach through the teacher
alone; labelled ones say "a photo of a LABEL"; drawn scenes bring shapes, colours and positions.

    python -m limner.recipes.small --data DATA --out runs/small      (about 75 minutes on two cores)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.nn.encoders import ImageEncoder, MapReader, TextEncoder, encode_in_buckets
from limner.nn.towers.convolutional_transformer import ConvolutionalTransformer
from limner.nn.towers.text_transformer import TextTransformer
from limner.objectives.feature_matching import feature_matching
from limner.objectives.infonce import infonce
from limner.train.pairs import Batch
from limner.train.task import Optimiser


@dataclass(frozen=True, slots=True)
class Small:
    """Everything that decides what comes out, but for the data."""

    seed: int = 0
    size: int = 112
    dimension: int = 256
    vocabulary: int = 5000
    context: int = 64
    channels: int = 512  # principal components of the teacher's maps
    words: Optimiser = Optimiser(rate=1e-3, steps=2000, warmup=100)
    words_batch: int = 384
    sight: Optimiser = Optimiser(rate=1.5e-3, steps=2400, warmup=200)
    sight_batch: int = 192

    def text_encoder(self) -> TextEncoder:
        return TextEncoder(TextTransformer(self.vocabulary, self.context, 192, 3, 6, dropout=0.1), 192, self.dimension)

    def image_encoder(self) -> ImageEncoder:
        return ImageEncoder(ConvolutionalTransformer(self.size, (48, 96), 256, 4, 4), 256, self.dimension)


class Words(nn.Module):
    """Stage one: text tower and the reader of the teacher's maps."""

    def __init__(self, recipe: Small) -> None:
        super().__init__()
        self.text = recipe.text_encoder()
        self.reader = MapReader(recipe.channels, 1024, recipe.dimension, dropout=0.3)
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def scale(self) -> Tensor:
        return self.log_scale.clamp(0, 4.6052).exp()  # at most 100, as in CLIP


class Sight(nn.Module):
    """Stage two: the image tower against the frozen results of stage one."""

    def __init__(self, recipe: Small, words: Words) -> None:
        super().__init__()
        self.image = recipe.image_encoder()
        self.see = nn.Linear(256, recipe.channels)  # token -> the teacher's feature at its place
        self.words = words.eval().requires_grad_(False)
        self.log_scale = nn.Parameter(words.log_scale.detach().clone().clamp(max=4.0))

    def train(self, mode: bool = True) -> Sight:
        super().train(mode)
        self.words.eval()
        return self

    def scale(self) -> Tensor:
        return self.log_scale.clamp(0, 4.6052).exp()


def word_losses(model: Words, batch: Batch) -> Mapping[str, Tensor]:
    pictures = model.reader(batch.maps[batch.captioned])
    return {"contrast": infonce(pictures, encode_in_buckets(model.text, batch.ids, 6), model.scale(), batch.groups)}


def sight_losses(model: Sight, batch: Batch) -> Mapping[str, Tensor]:
    pictures, tokens = model.image(batch.pictures)
    with torch.no_grad():
        text, landed = encode_in_buckets(model.words.text, batch.ids, 6), model.words.reader(batch.maps)
    return {
        "contrast": infonce(pictures[batch.captioned], text, model.scale(), batch.groups),
        "land": 4 * feature_matching(pictures, landed),
        "see": 2 * feature_matching(model.see(tokens).float(), batch.maps),
    }
