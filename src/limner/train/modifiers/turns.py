"""Texts of one kind a step: the kinds take turns, so that no step compares texts of two (languages, say)."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch

from limner.core.errors import InputError
from limner.train.batches import Batch
from limner.train.modifiers import Quiet
from limner.train.task import Task


@dataclass(frozen=True, slots=True)
class Turns(Quiet):
    """Of each batch only the texts of one of these roles, the next one at the next step."""

    roles: tuple[str, ...]

    def batch(self, task: Task, step: int, batch: Batch) -> Batch:
        role = self.roles[step % len(self.roles)]
        if role not in batch.roles:
            raise InputError(f"it is the turn of role {role!r}; the batch has: {', '.join(sorted(batch.roles))}")
        kept = batch.roles[role]
        return dataclasses.replace(
            batch,
            ids=batch.ids[kept],
            owner=batch.owner[kept],
            text_group=batch.text_group[kept],
            roles={role: torch.arange(len(kept))},
            language=None if batch.language is None else batch.language[kept],
        )
