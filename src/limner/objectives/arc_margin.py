"""ArcMargin: an angle is added between a vector and its class centre (Deng et al. 2019, "ArcFace"; card 109, MCIP).

    L_i = - 1/|P_i| sum_{k in P_i} log [ e^{s cos(t_ik + m)} / (e^{s cos(t_ik + m)} + sum_{j in N_i} e^{s cos t_ij}) ]

t_ik is the angle between the unit vector of a picture and the k-th centre. Centres are learned, one a class, or
are the vectors of the batch's captions. Against `contrast`: there the other right texts stay in the denominator,
here each right centre is set against wrong ones only. Over several captions: arXiv 2409.01936, our reconstruction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.targets import positives


class Centres(nn.Module):
    """Learned class centres: `forward()` gives them as unit vectors (count, dimension)."""

    def __init__(self, count: int, dimension: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.01 * torch.randn(count, dimension))

    def forward(self) -> Tensor:
        return F.normalize(self.weight.float(), dim=-1)

    def check(self, labels: Tensor, what: str) -> None:
        """Raises InputError where a label (any shape, int64) names no centre."""
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= len(self.weight):
            raise InputError(f"{what} must be from 0 to {len(self.weight) - 1}, found {low if low < 0 else high}")


def add_angle(cosine: Tensor, margin: float) -> Tensor:
    """cos(t + margin) from cos t; where t + margin would pass pi, a straight line that goes on falling."""
    # Kept off zero: the slope of the root is without bound there.
    sine = (1 - cosine**2).clamp(min=1e-7).sqrt()
    turned = cosine * math.cos(margin) - sine * math.sin(margin)
    return torch.where(cosine > -math.cos(margin), turned, cosine - margin * math.sin(margin))


def arc_margin(cosine: Tensor, positive: Tensor, negative: Tensor, scale: float, margin: float) -> Tensor:
    """`cosine` (n, c) of vectors to centres; `positive`, `negative` (n, c) bool, what is neither is left out.

    -> scalar: the mean over the rows that have a positive (the formula above).
    """
    logits = scale * cosine
    against = logits.masked_fill(~negative, torch.finfo(logits.dtype).min).logsumexp(1, keepdim=True)
    losses = F.softplus(against - scale * add_angle(cosine, margin)).masked_fill(~positive, 0)
    counts = positive.sum(1)
    return (losses.sum(1) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)


@dataclass(frozen=True, slots=True)
class ArcMargin:
    """Pictures of one class around a learned centre, classes apart by an angle (card 109).

    Needs vectors and the classes, from 0 to `classes` - 1: `concept`, or the target that is named. For image-to-image
    search by labels; alone it pulls the pictures away from the texts, which `MultiCaptionArcMargin` beside it prevents.
    Give the centres a large rate.
    """

    classes: int
    target: str = ""
    """Name of the target (n,) with the classes; empty: the concepts."""
    scale: float = 32.0
    margin: float = 0.3
    """Radians."""
    weight: float = 1.0
    name: str = "arc_margin"

    def head(self, model: Any) -> Centres:
        return Centres(self.classes, model.dimension)

    def __call__(self, features: Features, head: Centres) -> Tensor:
        labels = features.targets.get(self.target) if self.target else features.concept
        what = f"target {self.target!r}" if self.target else "concept"
        if labels is None:
            raise InputError(f"an arc margin needs data with a {what} for each picture")
        head.check(labels, what)
        own = F.one_hot(labels, self.classes).bool()
        return arc_margin(features.image.vectors @ head().T, own, ~own, self.scale, self.margin)


@dataclass(frozen=True, slots=True)
class MultiCaptionArcMargin:
    """The captions of a batch are the centres: each picture around all of its own (card 109).

    Needs groups and vectors, and reads `concept` where there is one: captions of other pictures of the same class
    are then neither right nor wrong. The texts get no gradient: pictures are put in order inside the given space
    of words, so freeze the text tower. Beside `ArcMargin` it keeps text search alive.
    """

    scale: float = 32.0
    margin: float = 0.3
    """Radians."""
    role: str = ""
    """Only the texts of this role; empty: all."""
    weight: float = 1.0
    name: str = "caption_arc_margin"

    def head(self, model: Any) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        if self.role:
            features = features.with_role(self.role)
        own = positives(features)
        negative = ~own
        if features.concept is not None:
            negative = negative & (features.concept[:, None] != features.concept[features.owner][None, :])
        cosine = features.image.vectors @ features.text.vectors.detach().T
        return arc_margin(cosine, own, negative, self.scale, self.margin)
