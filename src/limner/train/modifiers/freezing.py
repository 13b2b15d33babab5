"""Parts of the model that stand still for a while: frozen at the start, let go at a share of the training."""

from __future__ import annotations

import re
from dataclasses import dataclass

from limner.train.batches import Batch
from limner.train.modifiers import Quiet
from limner.train.task import Task


@dataclass(frozen=True, slots=True)
class Unfreeze(Quiet):
    """Parameters whose names match `pattern` get no gradient before the share `after` of the training is done."""

    pattern: str
    after: float

    def batch(self, task: Task, step: int, batch: Batch) -> Batch:
        free = step >= self.after * task.settings.steps
        for name, parameter in task.model.named_parameters():
            if re.search(self.pattern, name):
                parameter.requires_grad_(free)
        return batch
