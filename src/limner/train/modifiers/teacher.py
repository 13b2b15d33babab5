"""Teachers: another model answers to the same batch, without gradient, as `features.teacher`.

    EmaTeacher      a slowly moving average of the model itself (cards 23, 49, 91)
    TrainedTeacher  the end of another experiment, frozen (cards 85, 91)

Where the batch has a second view, the teacher sees that one (TCL: view 1 to the model, view 2 to the teacher).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

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
