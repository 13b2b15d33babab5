"""What a similarity costs: learned numbers, and arithmetic for one pair."""

from __future__ import annotations

from dataclasses import dataclass

from limner.core.errors import InputError
from limner.train.outcome import Measured, Outcome
from limner.train.trained import Trained


@dataclass(frozen=True, slots=True)
class SimilarityCost:
    """Parameters (also as a share of a whole d x d matrix and its diagonal) and operations a pair."""

    def __call__(self, trained: Trained) -> Outcome:
        similarity, dimension = trained.model.similarity, trained.model.dimension
        if not hasattr(similarity, "pair_flops"):
            raise InputError(f"{type(similarity).__name__} does not say its operations a pair: measure a bilinear one")
        learned = sum(parameter.numel() for parameter in similarity.parameters())
        return {
            "similarity: parameters": Measured.of(learned),
            "similarity: parameters, share of a full bilinear": Measured.of(learned / (dimension**2 + dimension)),
            "similarity: operations a pair": Measured.of(similarity.pair_flops(dimension)),
        }
