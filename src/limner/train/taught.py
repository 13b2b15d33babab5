"""Two towers taught by a frozen teacher, one after the other: words first, then sight.

Words    a text tower and a reader of the teacher's maps meet in one space
Sight    an image tower lands where the reader put the teacher's picture, and meets the words itself
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from limner.nn.encoders import ImageEncoder, MapReader, TextEncoder, encode_in_buckets
from limner.objectives.feature_matching import feature_matching
from limner.objectives.infonce import infonce
from limner.train.pairs import Batch

BUCKETS = 6
MOST_SCALE = 4.6052
"""log 100: the bound of CLIP on its inverse temperature."""


class Words(nn.Module):
    """Stage one. `reader`: what the teacher sees, as vectors of the space of the words."""

    def __init__(self, text: TextEncoder, reader: MapReader) -> None:
        super().__init__()
        self.text, self.reader = text, reader
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def scale(self) -> Tensor:
        return self.log_scale.clamp(0, MOST_SCALE).exp()


class Sight(nn.Module):
    """Stage two. `words` is frozen; `see` tells what the teacher sees at a token's place."""

    def __init__(self, image: ImageEncoder, see: nn.Linear, words: Words) -> None:
        super().__init__()
        self.image, self.see = image, see
        self.words = words.eval().requires_grad_(False)
        self.log_scale = nn.Parameter(words.log_scale.detach().clone())

    def train(self, mode: bool = True) -> Sight:
        super().train(mode)
        self.words.eval()
        return self

    def scale(self) -> Tensor:
        return self.log_scale.clamp(0, MOST_SCALE).exp()


def word_losses(model: Words, batch: Batch) -> Mapping[str, Tensor]:
    pictures = model.reader(batch.maps[batch.captioned])
    text = encode_in_buckets(model.text, batch.ids, BUCKETS)
    return {"contrast": infonce(pictures, text, model.scale(), batch.groups)}


def sight_losses(model: Sight, batch: Batch) -> Mapping[str, Tensor]:
    pictures, tokens = model.image(batch.pictures)
    with torch.no_grad():
        text = encode_in_buckets(model.words.text, batch.ids, BUCKETS)
        landed = model.words.reader(batch.maps)
    return {
        "contrast": infonce(pictures[batch.captioned], text, model.scale(), batch.groups),
        "land": 4 * feature_matching(pictures, landed),
        "see": 2 * feature_matching(model.see(tokens).float(), batch.maps),
    }
