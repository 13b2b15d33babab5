"""What the second network of `Twins` makes of each batch, as `features.partner` (co-teaching; card 99)."""

from __future__ import annotations

from dataclasses import dataclass

from limner.core.errors import InputError
from limner.core.features import Features
from limner.train.batches import Batch
from limner.train.modifiers import Quiet
from limner.train.processes import gather_features
from limner.train.task import Task


@dataclass(frozen=True, slots=True)
class Partner(Quiet):
    """Its objectives are those in `BothNetworks`."""

    def start(self, task: Task) -> None:
        if not hasattr(task.model, "partner"):
            raise InputError("a partner needs a model with a second network: Twins in place of Towers")

    def features(self, task: Task, batch: Batch, features: Features) -> Features:
        with task.autocast():
            second = gather_features(task.encode(batch, task.model.partner))
        return features.replace(partner=second.replace(progress=features.progress))
