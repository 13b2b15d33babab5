"""Two towers that meet in one space: the model of nearly every recipe (CLIP, ALIGN; card 17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Encoded
from limner.nn.blocks.similarity import Cosine, SimilarityPart
from limner.nn.blocks.token_reducer import ReducerPart
from limner.nn.encoders import ImageEncoder, Reading, TextEncoder, read_in_buckets
from limner.nn.heads.focus import Focus
from limner.nn.heads.join import Join
from limner.nn.heads.lexicon import Lexicon, LexiconHeads
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
    """`scale`: learned inverse temperature, at most 100. `tokens`: whether states are projected, too.

    `lexicon`: the heads that give weighted words beside the vectors; None: none.
    `focus`: gives a picture several vectors, which take the place of its states in `tokens`.
    """

    def __init__(
        self,
        image: ImageEncoder,
        text: TextEncoder,
        similarity: nn.Module,
        dimension: int,
        *,
        tokens: bool,
        lexicon: LexiconHeads | None = None,
        focus: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.image, self.text, self.similarity = image, text, similarity
        self.lexicon, self.focus = lexicon, focus
        self.dimension, self.tokens = dimension, tokens
        self.log_scale = nn.Parameter(torch.tensor(2.66))

    def scale(self) -> Tensor:
        return self.log_scale.clamp(0, MOST_SCALE).exp()

    def encode_image(self, images: Tensor, group: Tensor) -> Encoded:
        encoded = self._encoded(self.image, self._read_image(images), group)
        if self.focus is None:
            return encoded
        return encoded.replace(tokens=focused(self.image, self.focus, encoded.vectors, encoded.states))

    def encode_text(self, ids: Tensor, group: Tensor) -> Encoded:
        return self._encoded(self.text, read_in_buckets(self._read_text, ids, BUCKETS), group)

    def _read_image(self, images: Tensor) -> Reading:
        reading = self.image.read(images)
        if not self.lexicon:
            return reading
        return reading._replace(lexicon=self.lexicon.of_pictures(reading))

    def _read_text(self, ids: Tensor) -> Reading:
        reading = self.text.read(ids)
        if not self.lexicon:
            return reading
        return reading._replace(lexicon=self.lexicon.of_texts(reading, ids))

    def _encoded(self, encoder: ImageEncoder | TextEncoder, reading: Reading, group: Tensor) -> Encoded:
        tokens = encoder.tokens(reading.states) if self.tokens else None
        return Encoded(
            reading.vectors,
            group,
            reading.latent.float(),
            reading.states.float(),
            tokens,
            reading.mask,
            reading.lexicon,
        )


def focused(encoder: ImageEncoder, focus: nn.Module, vectors: Tensor, states: Tensor) -> Tensor:
    """(n, 1 + K, d): the vectors of whole pictures (n, d), then those of the K prompts, projected as the whole is."""
    return torch.cat([vectors[:, None], encoder.project_latent(focus(states))], 1)


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
    reducer: ReducerPart | None = None
    """What makes few tokens of a picture's grid; None: each place is a token (card 25)."""
    lexicon: Lexicon | None = None
    """The heads that give weighted words of the vocabulary beside the vectors (card 1)."""
    focus: Focus | None = None
    """The part that gives a picture several vectors (card 119)."""

    def build(self, shape: tuple[int, ...], vocabulary: int, context: int) -> TwoTowers:
        """`shape`: of what the image tower reads, one picture. The seed of torch decides the weights.

        Raises InputError for a reducer without `tokens`, and for `tokens` with a `focus`.
        """
        if self.focus and self.tokens:
            raise InputError("a picture's tokens are its places or its focused vectors: leave out `tokens` or `focus`")
        if self.reducer and not self.tokens:
            raise InputError("a reducer makes tokens: set `tokens` of the model's Towers, too")
        reducer = self.reducer.build(self.image.width) if self.reducer else None
        image = ImageEncoder(self.image.build(shape), self.image.width, self.dimension, reducer)
        text = TextEncoder(self.text.build(vocabulary, context), self.text.width, self.dimension)
        similarity = self.similarity.build(self.dimension)
        lexicon = self.lexicon.build(image, text, vocabulary) if self.lexicon else None
        focus = self.focus.build(self.image.width) if self.focus else None
        model = TwoTowers(image, text, similarity, self.dimension, tokens=self.tokens, lexicon=lexicon, focus=focus)
        if self.join:
            model.join = self.join.build(self.image.width, self.text.width, self.dimension)
        return model
