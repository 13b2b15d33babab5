"""Training without a picture: a text that was written about it stands for it (card 120, arXiv 2509.19203)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from limner.core.errors import InputError
from limner.core.features import Features
from limner.train.batches import Batch
from limner.train.modifiers import Quiet
from limner.train.task import Task


@dataclass(frozen=True, slots=True)
class Documents(Quiet):
    """Each picture's text of this role takes the picture's place in all objectives; its other texts ask for it.

    So the one text encoder serves both sides. Needs exactly one such text of every picture in the batch.
    """

    role: str = "document"

    def features(self, task: Task, batch: Batch, features: Features) -> Features:
        rows = features.roles.get(self.role, features.owner[:0])
        rows = rows[features.owner[rows].argsort(stable=True)]
        if not torch.equal(features.owner[rows], torch.arange(len(features.image.group), device=rows.device)):
            raise InputError(f"a picture of the batch has not exactly one text of the role {self.role!r}")
        asking = torch.ones_like(features.owner, dtype=torch.bool)
        asking[rows] = False
        place = asking.cumsum(0) - 1
        return features.replace(
            image=features.text.take(rows).replace(group=features.image.group),
            text=features.text.take(asking),
            owner=features.owner[asking],
            roles={name: place[members] for name, members in features.roles.items() if name != self.role},
            ids=None if features.ids is None else features.ids[asking],
            language=None if features.language is None else features.language[asking],
        )
