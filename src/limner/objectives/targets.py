"""What a contrastive loss should answer: for each picture a distribution over the texts, and the reverse.

A builder reads the batch and gives (n, m) for the rows and (m, n) for the columns, each non-negative. The
contrastive op normalises them. A row without a positive is all zeros, whatever the builder: it asks nothing.
Chosen by the shape of the data:

    Groups       which texts belong to which picture is known          CLIP, UniCL, 1-to-K, ALIGN
    Concepts     several pictures show the same class                  SCOLD
    Softened     near duplicates share mass, more so as training goes  LightCLIP
    Momentum     a teacher's answer is mixed in                        ALBEF, TCL
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features


class Targets(Protocol):
    def __call__(self, features: Features, logits: Tensor) -> tuple[Tensor, Tensor]: ...


def positives(features: Features) -> Tensor:
    """(n, m) bool: whether picture and text are of one group."""
    return features.image.group[:, None] == features.text.group[None, :]


def owned(features: Features) -> Tensor:
    """(n, m) bool: whether the text was written for the picture."""
    pictures = torch.arange(len(features.image.group), device=features.owner.device)
    return pictures[:, None] == features.owner[None, :]


def share(mask: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
    """Each row's mass in equal parts over its True entries; a row without any stays zero."""
    weights = mask.to(dtype)
    return weights / weights.sum(1, keepdim=True).clamp(min=1)


def mix(mask: Tensor, other: Tensor | float, part: float) -> Tensor:
    """(1 - part) of `share(mask)` and `part` of another distribution; a row without any True stays zero."""
    return mask.any(1, keepdim=True) * ((1 - part) * share(mask) + part * other)


def smooth(mask: Tensor, part: float) -> Tensor:
    """`share(mask)` with `part` of the mass spread over the whole row."""
    return mix(mask, 1 / max(1, mask.shape[1]), part) if part else share(mask)


@dataclass(frozen=True, slots=True)
class Groups:
    """Equal mass for every positive (card 101: Florence/UniCL; card 18: 1-to-K), some for everything else.

    `smoothing`: mass that is spread over the whole row (Szegedy et al. 2016; ALIGN uses 0.1).
    """

    smoothing: float = 0.0

    def __call__(self, features: Features, logits: Tensor) -> tuple[Tensor, Tensor]:
        mask = positives(features)
        return smooth(mask, self.smoothing), smooth(mask.T, self.smoothing)


@dataclass(frozen=True, slots=True)
class Concepts:
    """Mass for every pair of one concept (card 41, SCOLD; the formula is our reconstruction).

    The concept of a text is that of its picture.
    """

    smoothing: float = 0.1

    def __call__(self, features: Features, logits: Tensor) -> tuple[Tensor, Tensor]:
        if features.concept is None:
            raise InputError("targets by concept need data with a concept for each picture")
        mask = positives(features) | (features.concept[:, None] == features.concept[features.owner][None, :])
        return smooth(mask, self.smoothing), smooth(mask.T, self.smoothing)


@dataclass(frozen=True, slots=True)
class Softened:
    """Negatives get a share that grows with training and goes to the most similar ones (card 34, LightCLIP).

    At the end `most` of the mass lies on the negatives, by a softmax of their own scores at `temperature`.
    """

    most: float = 0.2
    temperature: float = 0.1

    def __call__(self, features: Features, logits: Tensor) -> tuple[Tensor, Tensor]:
        mask = positives(features)
        scores = (logits / features.scale).detach().float()
        given = self.most * features.progress
        return mix(mask, self._near(mask, scores), given), mix(mask.T, self._near(mask.T, scores.T), given)

    def _near(self, mask: Tensor, scores: Tensor) -> Tensor:
        """A softmax over the negatives of each row; zeros where it has none."""
        return (scores / self.temperature).masked_fill(mask, -torch.inf).softmax(1).nan_to_num()


@dataclass(frozen=True, slots=True)
class Momentum:
    """A mixture with what the teacher answers to the batch (card 23, ALBEF eq. 6; card 49, TCL).

    `alpha` is reached after `ramp` of the training. The teacher answers about the batch; a queue gets no share.
    """

    alpha: float = 0.4
    ramp: float = 0.1

    def __call__(self, features: Features, logits: Tensor) -> tuple[Tensor, Tensor]:
        if features.teacher is None:
            raise InputError("momentum targets need a teacher: add the modifier EmaTeacher")
        mask = positives(features)
        answer = (features.teacher.scale * features.teacher.scores).detach().float()
        alpha = self.alpha * min(1.0, features.progress / self.ramp) if self.ramp else self.alpha
        return mix(mask, answer.softmax(1), alpha), mix(mask.T, answer.T.softmax(1), alpha)
