"""A model that says of each picture and text what a test wants it to say: evaluations are judged by known vectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from limner.core.features import Encoded
from limner.data.corpus import Corpora
from limner.encode.tokenizer import Tokenizer, train_tokenizer
from limner.nn.blocks.similarity import CosineSimilarity
from limner.train.trained import Trained


class Lookup(nn.Module):
    """A picture's vector is its map's first place; a text's is looked up by its tokens."""

    def __init__(self, tokenizer: Tokenizer, said: Mapping[str, Sequence[float]], scale: float) -> None:
        super().__init__()
        self.inverse_temperature = nn.Parameter(torch.tensor(scale))
        self.similarity = CosineSimilarity()
        self.said = {tuple(tokenizer.encode(text)): unit(torch.tensor(vector)) for text, vector in said.items()}

    def scale(self) -> Tensor:
        return self.inverse_temperature

    def encode_image(self, images: Tensor, group: Tensor) -> Encoded:
        return Encoded(unit(images[:, 0]), group)

    def encode_text(self, ids: Tensor, group: Tensor) -> Encoded:
        return Encoded(torch.stack([self.said[tuple(token for token in row if token)] for row in ids.tolist()]), group)


def unit(vectors: Tensor) -> Tensor:
    return nn.functional.normalize(vectors.float(), dim=-1)


def fixed(
    corpora: Corpora,
    said: Mapping[str, Sequence[float]],
    *,
    scale: float = 10.0,
    heads: Mapping[str, nn.Module] | None = None,
) -> Trained:
    tokenizer = train_tokenizer(sorted(said), 320, 32)
    model = Lookup(tokenizer, said, scale)
    return Trained(model, nn.ModuleDict(heads), nn.ModuleDict(), tokenizer, corpora, 0, Path())  # type: ignore[arg-type]
