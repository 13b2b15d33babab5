"""The contrastive op: InfoNCE between pictures and texts with everything that its relatives vary.

L = 1/2 [ 1/n sum_i w_i H(y_i, softmax(z_i))  +  the same over columns ],   z = scale * similarity

    which pairs are right, and how much     `targets` (see targets.py): one, several, by concept, softened
    how much a pair counts                  `weights`
    how hard two things are pushed apart    `temperature`: one number a pair instead of one for all
    more negatives                          the features' queue; very large batches: blockwise.py

van den Oord et al. 2018; Radford et al. 2021 (CLIP); Jia et al. 2021 (ALIGN, card 17); Yuan et al. 2021
(UniCL, card 101): the mean over several positives stands outside the logarithm. Chance level is log m.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Features, Queue
from limner.objectives.targets import Concepts, Groups, Targets


class PairTemperature(Protocol):
    def __call__(self, features: Features) -> Tensor:
        """(n, m) positive factors of the temperature."""
        ...


class Weights(Protocol):
    def head(self) -> nn.Module | None: ...

    def __call__(self, features: Features, head: Any) -> tuple[Tensor, Tensor]:
        """(n,) of the pictures and (m,) of the texts, without gradient."""
        ...


def contrast(logits: Tensor, targets: Tensor, weights: Tensor | None = None, *, bags: bool = False) -> Tensor:
    """One direction: the mean cross-entropy of the rows of `logits` (n, m) against `targets` (n, m).

    Targets are brought to sum 1 a row; a row of zeros is left out (0 if all are). `weights` (n,), without
    gradient: how much each row counts; the mean is still over the rows, so a batch that is doubted as a whole
    moves the model less. `bags`: the positives of a row are one bag of which it is enough to find some (the sum
    stands inside the logarithm: MIL-NCE, Miech et al. 2020). Logits must be finite.
    """
    mass = targets.sum(1)
    asked = mass > 0
    log_p = logits.float().log_softmax(1)
    if bags:
        losses = -log_p.masked_fill((targets == 0) & asked[:, None], -torch.inf).logsumexp(1)
    else:
        losses = -(targets * log_p).sum(1) / mass.where(asked, 1)
    if weights is not None:
        losses = losses * weights.detach()
    return losses.where(asked, 0).sum() / asked.sum().clamp(min=1)


@dataclass(frozen=True, slots=True)
class Contrast:
    """Both directions of `contrast` over a batch; needs vectors and groups, nothing else by default."""

    targets: Targets = Groups()
    temperature: PairTemperature | None = None
    weights: Weights | None = None
    role: str = ""
    """Only the texts of this role; empty: all."""
    keys: Literal["batch", "teacher"] = "batch"
    """What pictures and texts are compared with: one another, or what the teacher makes of one another (MoCo)."""
    bags: bool = False
    """See `contrast`; only for targets that are zero for whatever is wrong."""
    weight: float = 1.0
    name: str = "contrast"

    def __post_init__(self) -> None:
        if self.bags and (not isinstance(self.targets, Groups | Concepts) or self.targets.smoothing):
            raise InputError("bags need targets without mass on negatives: Groups() or Concepts(smoothing=0)")
        if self.keys not in ("batch", "teacher"):
            raise InputError(f"keys are those of the 'batch' or of the 'teacher', not of {self.keys!r}")

    def head(self, model: Any) -> nn.Module | None:
        return self.weights.head() if self.weights else None

    def __call__(self, features: Features, head: Any = None) -> Tensor:
        of_pictures, of_texts = (None, None) if self.weights is None else self.weights(features, head)
        if self.role:
            chosen = features.with_role(self.role)
            of_texts = None if of_texts is None else of_texts[features.roles[self.role]]
            features = chosen
        rows, columns = self._logits(features)
        row_targets, column_targets = self.targets(features, rows.detach())
        if features.queue is not None:
            rows, row_targets = _with_queued_texts(features, features.queue, rows, row_targets)
            columns, column_targets = _with_queued_pictures(features, features.queue, columns, column_targets)
        left = contrast(rows, row_targets, of_pictures, bags=self.bags)
        return (left + contrast(columns, column_targets, of_texts, bags=self.bags)) / 2

    def _logits(self, features: Features) -> tuple[Tensor, Tensor]:
        """(n, m) of the pictures and (m, n) of the texts."""
        scale = features.scale / self.temperature(features) if self.temperature else features.scale
        if self.keys == "batch":
            logits = scale * features.scores
            return logits, logits.T
        if features.teacher is None:
            raise InputError("keys of a teacher need a teacher: add the modifier EmaTeacher")
        rows = scale * features.similarity(features.image, features.teacher.text)
        return rows, (scale * features.similarity(features.teacher.image, features.text)).T


def _with_queued_texts(features: Features, queue: Queue, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    more = features.scale * features.similarity(features.image, queue.text)
    return append_negatives(logits, targets, more, features.rows[:, None] == queue.text_rows[None, :])


def _with_queued_pictures(features: Features, queue: Queue, logits: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    more = features.scale * features.similarity(queue.image, features.text).T
    return append_negatives(logits, targets, more, features.rows[features.owner][:, None] == queue.image_rows[None, :])


def append_negatives(logits: Tensor, targets: Tensor, more: Tensor, own: Tensor) -> tuple[Tensor, Tensor]:
    """More negatives for each row, but for those that come from the row's own picture."""
    more = more.masked_fill(own, torch.finfo(more.dtype).min)
    return torch.cat([logits, more], 1), torch.cat([targets, targets.new_zeros(more.shape)], 1)
