"""A queue: what the teacher made of the last batches, as more negatives (He et al. 2020, "MoCo"; cards 23, 49)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.core.errors import InputError
from limner.core.features import Encoded, Features, Queue
from limner.train.batches import Batch
from limner.train.modifiers import Quiet
from limner.train.task import Task


class _Side(nn.Module):
    """A ring of vectors, of lexicons where the model has them, and of the numbers of the pictures that they belong
    to; -1 where it is still empty."""

    def __init__(self, size: int, dimension: int, vocabulary: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(size, dimension))
        self.register_buffer("lexicon", torch.zeros(size, vocabulary) if vocabulary else None)
        self.register_buffer("rows", torch.full((size,), -1))
        self.register_buffer("place", torch.zeros((), dtype=torch.int64))

    def push(self, encoded: Encoded, rows: Tensor) -> None:
        """The first so many as there is room for."""
        rows = rows[: len(self.rows)]
        places = (self.place + torch.arange(len(rows), device=rows.device)) % len(self.rows)
        self.vectors[places], self.rows[places] = encoded.vectors[: len(rows)].to(self.vectors), rows
        if self.lexicon is not None:
            self.lexicon[places] = encoded.lexicon[: len(rows)].to(self.lexicon)
        self.place.copy_((self.place + len(rows)) % len(self.rows))

    def read(self) -> tuple[Encoded, Tensor]:
        filled = self.rows >= 0
        lexicon = None if self.lexicon is None else self.lexicon[filled]
        return Encoded(self.vectors[filled], self.rows[filled], lexicon=lexicon), self.rows[filled]


@dataclass(frozen=True, slots=True)
class FeatureQueue(Quiet):
    """List it after the teacher whose answers it keeps. On few data keep it below an epoch: old vectors of a
    picture that is in the batch are left out, but near duplicates are not."""

    size: int = 1024

    def start(self, task: Task) -> None:
        model = task.model
        vocabulary = model.lexicon.vocabulary if model.lexicon else 0
        sides = {side: _Side(self.size, model.dimension, vocabulary) for side in ("image", "text")}
        task.memory["queue"] = nn.ModuleDict(sides)

    def features(self, task: Task, batch: Batch, features: Features) -> Features:
        image, image_rows = task.memory["queue"]["image"].read()
        text, text_rows = task.memory["queue"]["text"].read()
        return features.replace(queue=Queue(image, text, image_rows, text_rows)) if len(image_rows) else features

    def after_step(self, task: Task, step: int, features: Features) -> None:
        teacher = features.teacher
        if teacher is None:
            raise InputError("a queue keeps a teacher's answers: list EmaTeacher before FeatureQueue")
        queue = task.memory["queue"]
        queue["image"].push(teacher.image, features.rows)
        queue["text"].push(teacher.text, features.rows[features.owner])
