"""A trained model whose pictures have exactly the vectors that a test gives them, and texts those of a small tower."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.data.corpus import Corpora, Corpus
from limner.encode.tokenizer import Tokenizer, train_tokenizer
from limner.nn.blocks.similarity import Cosine, SimilarityPart
from limner.nn.encoders import Reading, TextEncoder
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import TwoTowers
from limner.train.trained import Trained

CONTEXT = 128


class Stored(nn.Module):
    """Reads (n, 1, d) as n vectors."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.latent_width = dimension

    def read(self, images: Tensor) -> Reading:
        vectors = F.normalize(images[:, 0].float(), dim=-1)
        return Reading(vectors, vectors, images, None)


def known(
    test: Corpus, tmp_path: Path, *, train: Corpus | None = None, similarity: SimilarityPart | None = None
) -> Trained:
    """`images` of the corpora are vectors (n, 1, d)."""
    words = sorted({text.text for some in test.texts for text in some}) or ["nothing"]
    path = tmp_path / "tokenizer.json"
    path.write_bytes(train_tokenizer(words, 320, CONTEXT).to_json())
    tokenizer = Tokenizer.load(path, CONTEXT)
    dimension = test.images.shape[-1]
    torch.manual_seed(0)
    text = TextEncoder(TextTower(16, 1, 2, 0.0).build(tokenizer.vocabulary_size, CONTEXT), 16, dimension)
    part = (similarity or Cosine()).build(dimension)
    model = TwoTowers(Stored(dimension), text, part, dimension, tokens=False).eval()
    corpora = Corpora(train or test, test, test)
    return Trained(model, nn.ModuleDict(), nn.ModuleDict(), tokenizer, corpora, 0, tmp_path)


def vectors_of(rows: np.ndarray) -> np.ndarray:
    """(n, d) -> (n, 1, d), as a corpus stores them."""
    return np.asarray(rows, np.float32)[:, None]
