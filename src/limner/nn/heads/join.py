"""One vector for an item that is a picture, a title, or both (card 100, eSSPR, arXiv 2302.05093)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.nn.blocks.transformer import TransformerBlock


class JoinedItem(nn.Module):
    """States of a picture and of a title -> the unit vector (n, d) of the item.

    One network for all forms of an item: what is missing is replaced by a learned vector, so the picture alone,
    the title alone and both meet in one space. A learned summary token reads the rest and is projected.
    """

    def __init__(
        self, image_width: int, text_width: int, dimension: int, *, width: int, heads: int, layers: int = 1
    ) -> None:
        super().__init__()
        self.from_image = nn.Linear(image_width, width)
        self.from_text = nn.Linear(text_width, width)
        self.summary, self.no_image, self.no_text, self.image_kind, self.text_kind = (
            nn.Parameter(0.02 * torch.randn(width)) for _ in range(5)
        )
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.project = nn.Linear(width, dimension)

    def forward(self, image: Tensor | None, text: Tensor | None, text_mask: Tensor | None = None) -> Tensor:
        """`image` (n, t, image width), `text` (n, u, text width), None where the item has none.

        `text_mask` (n, u), True where a word is real; None: all are. Raises InputError when both are missing.
        """
        if image is None and text is None:
            raise InputError("an item needs a picture, a title, or both")
        given = image if image is not None else text
        n = len(given)  # type: ignore[arg-type]
        pictures = self.no_image.expand(n, 1, -1) if image is None else self.from_image(image)
        words = self.no_text.expand(n, 1, -1) if text is None else self.from_text(text)
        joined = torch.cat([self.summary.expand(n, 1, -1), pictures + self.image_kind, words + self.text_kind], 1)
        mask = None
        if text is not None and text_mask is not None:
            mask = torch.cat([text_mask.new_ones(n, 1 + pictures.shape[1]), text_mask], 1)
        for block in self.blocks:
            joined = block(joined, mask)
        return F.normalize(self.project(self.norm(joined[:, 0])).float(), dim=-1)


@dataclass(frozen=True, slots=True)
class Join:
    """Settings of JoinedItem."""

    width: int = 256
    heads: int = 4
    layers: int = 1

    def build(self, image_width: int, text_width: int, dimension: int) -> JoinedItem:
        return JoinedItem(image_width, text_width, dimension, width=self.width, heads=self.heads, layers=self.layers)
