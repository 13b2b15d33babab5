"""Teachers: another model answers to the same batch, without gradient, as `features.teacher`.

    EmaTeacher      a slowly moving average of the model itself (cards 23, 49, 91)
    TrainedTeacher  the end of another experiment, frozen (cards 85, 91)
    TargetTeacher   the same, but it reads a stored target in place of the pictures

Where the batch has a second view, the teacher sees that one (TCL: view 1 to the model, view 2 to the teacher).
"""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass

from limner.core.errors import InputError
from limner.core.features import Features
from limner.train.batches import Batch
from limner.train.experiment import Experiment
from limner.train.modifiers import Quiet
from limner.train.optimiser import move_average
from limner.train.task import Task


@dataclass(frozen=True, slots=True)
class EmaTeacher(Quiet):
    momentum: float = 0.995
    """Share of the teacher that stays at each step; reached by and by, as the first weights are random."""

    def start(self, task: Task) -> None:
        task.memory["teacher"] = copy.deepcopy(task.model).eval().requires_grad_(False)

    def features(self, task: Task, batch: Batch, features: Features) -> Features:
        return features.replace(teacher=task.answer(batch, task.memory["teacher"]))

    def after_step(self, task: Task, step: int, features: Features) -> None:
        move_average(task.memory["teacher"], task.model, min(self.momentum, (step + 1) / (step + 10)))


@dataclass(frozen=True, slots=True)
class TrainedTeacher(Quiet):
    experiment: Experiment
    """Must read the same tokens: the same data, or the model's own start."""

    def start(self, task: Task) -> None:
        task.memory["teacher"] = copy.deepcopy(task.trained_model(self.experiment)).eval().requires_grad_(False)

    def features(self, task: Task, batch: Batch, features: Features) -> Features:
        return features.replace(teacher=task.answer(batch, task.memory["teacher"]))


@dataclass(frozen=True, slots=True)
class TargetTeacher(Quiet):
    """Answers about the pictures alone, from the target of that name: maps of a backbone that is not there any more."""

    experiment: Experiment
    target: str = "maps"

    def start(self, task: Task) -> None:
        task.memory["teacher"] = copy.deepcopy(task.trained_model(self.experiment)).eval().requires_grad_(False)

    def features(self, task: Task, batch: Batch, features: Features) -> Features:
        if self.target not in batch.targets:
            raise InputError(f"the teacher reads the target {self.target!r}; the data have: {', '.join(batch.targets)}")
        nothing = batch.owner[:0]
        seen = dataclasses.replace(
            batch,
            images=batch.targets[self.target],
            ids=batch.ids[:0],
            owner=nothing,
            text_group=nothing,
            roles={},
            language=None,
            view=None,
        )
        return features.replace(teacher=task.answer(seen, task.memory["teacher"]))
