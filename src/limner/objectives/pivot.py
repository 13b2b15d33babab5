"""Contrast of texts with texts through a pivot language, the older way to many languages.

    L = 1/2 [ InfoNCE(pivot -> others) + InfoNCE(others -> pivot) ]   over the texts of a batch

The pivot's text of a picture is right for the picture's texts in all other languages (M3P, UC2, as described in card
18, CCRK, arXiv 2406.18254). Needs vectors and groups, and that the role of a text is its language. Beside it stands a
`Contrast` of pictures with the pivot's texts alone; errors of translation then reach the other languages twice.
Its sibling, 1-to-K, contrasts pictures with the texts of all languages at once: `Contrast` with `Groups` on batches
that hold them all. Prefer that; this is what it is compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.contrast import contrast
from limner.objectives.targets import share


@dataclass(frozen=True, slots=True)
class PivotContrast:
    """See the top of the file. Raises InputError where a batch has no texts but the pivot's."""

    pivot: str = "en"
    weight: float = 1.0
    name: str = "pivot"

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: Any = None) -> Tensor:
        pivots = features.with_role(self.pivot).text
        others = torch.ones_like(features.owner, dtype=torch.bool)
        others[features.roles[self.pivot]] = False
        if not others.any():
            raise InputError(f"the batch has texts of role {self.pivot!r} only: a pivot needs others beside it")
        texts = features.text.take(others)
        right = pivots.group[:, None] == texts.group[None, :]
        logits = features.scale * pivots.vectors @ texts.vectors.T
        return (contrast(logits, share(right)) + contrast(logits.T, share(right.T))) / 2
