"""Boosting: the model in training must beat the margins of another one, the anchor (card 91, DBL, arXiv 2404.18114).

S are the scores of the model, A those of the anchor, without gradient; [x]+ = max(0, x); sums over the batch in
the paper, means over the right pairs here.

    relative   sum_i max_j [beta m + (A_ii - A_ij) - (S_ii - S_ij)]+  +  columns
    absolute   2 sum_i [gamma m + A_ii - S_ii]+  +  sum_i max_j [(1 - gamma) m + S_ij - A_ij]+  +  columns
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.hinge import Hardest, NegativeSampler, mean, over_negatives
from limner.objectives.targets import positives


def relative_boost(
    scores: Tensor, anchor: Tensor, positive: Tensor, margin: float, negatives: NegativeSampler
) -> Tensor:
    """The gap of each right pair to its negatives exceeds the anchor's gap by `margin`; all (n, m), -> scalar.

    The negatives are chosen by the boosted hinge, not by the scores alone.
    """
    gain = scores - anchor.detach()
    rows, columns = positive.nonzero(as_tuple=True)
    needed = margin - gain[rows, columns]
    margins = needed.new_full(needed.shape, margin)
    of_rows = over_negatives(needed[:, None] + gain[rows], ~positive[rows], margins, negatives)
    of_columns = over_negatives(needed[:, None] + gain.T[columns], ~positive.T[columns], margins, negatives)
    return mean(of_rows + of_columns)


def absolute_boost(
    scores: Tensor, anchor: Tensor, positive: Tensor, margin: float, gamma: float, negatives: NegativeSampler
) -> Tensor:
    """Right pairs lie `gamma * margin` above the anchor's, negatives the rest of the margin below; -> scalar."""
    gain = scores - anchor.detach()
    rows, columns = positive.nonzero(as_tuple=True)
    below = (1 - gamma) * margin
    margins = gain.new_full(rows.shape, below)
    of_rows = over_negatives(below + gain[rows], ~positive[rows], margins, negatives)
    of_columns = over_negatives(below + gain.T[columns], ~positive.T[columns], margins, negatives)
    return mean(2 * (gamma * margin - gain[rows, columns]).clamp(min=0) + of_rows + of_columns)


@dataclass(frozen=True, slots=True)
class Boost:
    """Beat the margins of an anchor (formula at the top of the file; card 91).

    Needs vectors, groups and a teacher: averaged weights, a model trained before, or one trained alongside. Stands
    beside a basic loss (`RankingHinge` with `Hardest`), never alone. Against distillation: it asks to be better
    than the teacher, not like it. The bar rises with a teacher that follows the model; cosines bound it, other
    scores do not.
    """

    kind: Literal["relative", "absolute"] = "relative"
    margin: float = 0.2
    gamma: float = 0.5
    """Of the absolute kind: the part of the margin that is asked of right pairs."""
    beta: float = 1.0
    """Of the relative kind: the factor of the margin."""
    negatives: NegativeSampler = Hardest()
    start: float = 0.1
    """Share of the training before which nothing is asked: an anchor that knows nothing is no bar."""
    weight: float = 1.0
    name: str = "boost"

    def head(self, model: object) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        if features.teacher is None:
            raise InputError("boosting needs an anchor: add a modifier that gives the features a teacher (EmaTeacher)")
        scores, positive = features.scores, positives(features)
        if features.progress < self.start:
            return 0 * scores.sum()
        anchor = features.teacher.scores
        if self.kind == "relative":
            return relative_boost(scores, anchor, positive, self.beta * self.margin, self.negatives)
        return absolute_boost(scores, anchor, positive, self.margin, self.gamma, self.negatives)
