"""How many pairs a model was trained on, for recipes that leave some out."""

from __future__ import annotations

from dataclasses import dataclass

from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class TrainingPairs:
    """Training texts of the role."""

    role: str = "caption"

    def __call__(self, trained: Trained) -> Outcome:
        texts = trained.corpora.train.texts
        return {"training pairs": Measured.of(sum(text.role == self.role for some in texts for text in some))}
