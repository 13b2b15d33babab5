"""Short texts answer only for what varies most among the pictures of a batch (card 69, Long-CLIP)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.contrast import contrast
from limner.objectives.targets import Groups, Targets


def principal_components(vectors: Tensor, k: int) -> Tensor:
    """mean + (v - mean) P P^T, P the k leading right singular vectors of the centred rows: (n, d) -> (n, d) float32.

    With k at or above their rank, the rows come back as they are. P is without gradient: that of an SVD has no
    bound where singular values meet.
    """
    with torch.autocast(vectors.device.type, enabled=False):
        mean = vectors.float().mean(0)
        centred = vectors.float() - mean
        leading = torch.linalg.svd(centred.detach(), full_matrices=False).Vh[:k]
        return mean + centred @ leading.T @ leading


@dataclass(frozen=True, slots=True)
class ComponentMatching:
    """Both directions of `contrast` between PCA(v), of the pictures of the batch, and the texts of one role
    (card 69, Long-CLIP, arXiv 2403.15378); PCA(v) as in `principal_components`, not normalised again.

    Needs vectors, groups and two kinds of text: a `Contrast` on the long ones stands beside it. Use it where a model
    learns long texts and must stay good at short ones, which cannot know the details. `components` are at most a
    quarter of the pictures of a batch, as otherwise PCA(v) = v and nothing is asked; batches of 128 and more
    leave the 32 of the paper.
    """

    role: str
    """The role of the short texts."""
    components: int = 32
    targets: Targets = Groups(smoothing=0.1)
    weight: float = 1.0
    name: str = "component_matching"

    def __post_init__(self) -> None:
        if self.components < 1:
            raise InputError(f"component matching needs 1 component at least; it has {self.components}")

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        features = features.with_role(self.role)
        vectors = features.image.vectors
        k = min(self.components, len(vectors) // 4)
        if not k:
            raise InputError(f"component matching needs 4 pictures a batch at least; this one has {len(vectors)}")
        logits = features.scale * principal_components(vectors, k) @ features.text.vectors.T
        of_rows, of_columns = self.targets(features, logits.detach())
        return (contrast(logits, of_rows) + contrast(logits.T, of_columns)) / 2
