"""The ranking hinge: a right pair must score higher than wrong ones, by a margin.

    L = mean_(i,t) [ a * C(margin - s_it + s_it')  +  b * C(margin - s_it + s_i't) ]

over the right pairs (i, t) of a batch; t' and i' are the wrong texts of i and the wrong pictures of t, and C is
what a sampler of negatives makes of the excesses: the mean of those above zero over the negatives that it takes.
Everything of the group of i and t is right and never a negative. Frome et al. 2013 (DeViSE); card 113 (ranking
MLP, arXiv 1601.03478); Faghri et al. 2018 (VSE++: `Hardest`). With one caption a picture, the papers' sums over
the batch are n times this mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from limner.core.errors import InputError
from limner.core.features import Features
from limner.objectives.targets import positives, share


class NegativeSampler(Protocol):
    def __call__(self, excess: Tensor, allowed: Tensor, margin: Tensor) -> Tensor:
        """Which negatives count: weights (p, m) without gradient, summing to 1 a row (0 where none is allowed).

        `excess` (p, m) by how much each candidate breaks the margin of a right pair, negative where it does not;
        `allowed` (p, m) False for what is no negative; `margin` (p,), so that `excess > margin` is a wrong order.
        """
        ...


def best(keys: Tensor, allowed: Tensor, count: int) -> Tensor:
    """(p, m) bool: the `count` allowed entries of each row with the largest keys, fewer where fewer are allowed."""
    top = keys.masked_fill(~allowed, -torch.inf).topk(min(count, keys.shape[1]), dim=1).indices
    return torch.zeros_like(allowed).scatter(1, top, True) & allowed


@dataclass(frozen=True, slots=True)
class All:
    """Every negative of the batch: steady, and right while the pairs are noisy or the model is young."""

    def __call__(self, excess: Tensor, allowed: Tensor, margin: Tensor) -> Tensor:
        return share(allowed, excess.dtype)


@dataclass(frozen=True, slots=True)
class Random:
    """`count` negatives drawn uniformly from the batch, for each pair and at each step anew."""

    count: int = 1

    def __call__(self, excess: Tensor, allowed: Tensor, margin: Tensor) -> Tensor:
        return share(best(torch.rand(excess.shape, device=excess.device), allowed, self.count), excess.dtype)


@dataclass(frozen=True, slots=True)
class SemiHard:
    """The highest negative below the pair; where all lie above, the lowest (Schroff et al. 2015, "FaceNet")."""

    def __call__(self, excess: Tensor, allowed: Tensor, margin: Tensor) -> Tensor:
        keys = excess.detach()
        below = allowed & (keys < margin[:, None])
        some = below.any(1, keepdim=True)
        return share(best(torch.where(some, keys, -keys), torch.where(some, below, allowed), 1), excess.dtype)


@dataclass(frozen=True, slots=True)
class Hardest:
    """The `count` highest negatives. From the very start, or under noise, it may collapse: see `collapsed`."""

    count: int = 1

    def __call__(self, excess: Tensor, allowed: Tensor, margin: Tensor) -> Tensor:
        return share(best(excess.detach(), allowed, self.count), excess.dtype)


def over_negatives(excess: Tensor, allowed: Tensor, margin: Tensor, negatives: NegativeSampler) -> Tensor:
    """(p,): the hinge of each row of `excess` (p, m), averaged over the negatives that the sampler takes."""
    return (negatives(excess, allowed, margin) * excess.clamp(min=0)).sum(1)


def mean(losses: Tensor) -> Tensor:
    """The mean of (p,), zero for none."""
    return losses.sum() / max(1, len(losses))


def pair_hinges(
    scores: Tensor,
    positive: Tensor,
    margin: float | Tensor,
    negatives: NegativeSampler,
    *,
    negative: Tensor | None = None,
    to_texts: float = 1.0,
    to_pictures: float = 1.0,
) -> Tensor:
    """The loss of each right pair, (p,), row after row.

    `scores` (n, m), `positive` (n, m) bool, `margin` one number or (n,) of the rows. `negative` (n, m) bool: what
    may be one; None: all that is not positive. `to_texts` weighs the contrast of columns for a row (a in the
    formula), `to_pictures` of rows for a column (b).
    """
    rows, columns = positive.nonzero(as_tuple=True)
    negative = ~positive if negative is None else negative
    margins = torch.as_tensor(margin, dtype=scores.dtype, device=scores.device).expand(len(scores))[rows]
    needed = (margins - scores[rows, columns])[:, None]
    losses = torch.zeros_like(margins)
    if to_texts:
        losses = losses + to_texts * over_negatives(needed + scores[rows], negative[rows], margins, negatives)
    if to_pictures:
        of_columns = over_negatives(needed + scores.T[columns], negative.T[columns], margins, negatives)
        losses = losses + to_pictures * of_columns
    return losses


def ranking_hinge(
    scores: Tensor, positive: Tensor, margin: float | Tensor, negatives: NegativeSampler, **more: Any
) -> Tensor:
    """The mean of `pair_hinges` with the same arguments -> scalar; zero without a right pair."""
    return mean(pair_hinges(scores, positive, margin, negatives, **more)) + 0 * scores.sum()


def soft_margin(margin: float, confidence: Tensor) -> Tensor:
    """A doubtful pair needs less distance: margin * (10^y - 1) / 9, y from 0 to 1 (card 99; Huang et al. 2021, NCR)."""
    return margin * (10**confidence - 1) / 9


def collapsed(scores: Tensor, tolerance: float = 0.005) -> bool:
    """Whether all similarities are the same, up to a standard deviation: nothing is told from anything any more.

    Cosines of unrelated vectors of d numbers spread by 1 / sqrt(d), six times the tolerance at d = 1024. A
    single score tells nothing.
    """
    return scores.numel() > 1 and bool(scores.detach().float().std(correction=0) <= tolerance)


@dataclass(frozen=True, slots=True)
class RankingHinge:
    """Right pairs above wrong ones by a margin (formula at the top of the file; cards 113, 91, 99, 100).

    Needs vectors and groups; with `soft`, targets "confidence" (n,), 0 to 1. Against `Contrast`: no temperature,
    and pairs that are far enough apart are left alone. Good for small models and few data; `Hardest` is the
    stronger on clean pairs once the model has begun to learn, `All` the safer.
    """

    margin: float = 0.2
    negatives: NegativeSampler = All()
    to_texts: float = 1.0
    """Contrast texts for a picture: favours annotation."""
    to_pictures: float = 1.0
    """Contrast pictures for a text: favours search."""
    soft: bool = False
    """Shrink the margin of doubtful pairs (`soft_margin`)."""
    role: str = ""
    """Only the texts of this role; empty: all."""
    weight: float = 1.0
    name: str = "hinge"

    def head(self, model: object) -> None:
        return None

    def __call__(self, features: Features, head: None = None) -> Tensor:
        if self.role:
            features = features.with_role(self.role)
        margin: float | Tensor = self.margin
        if self.soft:
            if "confidence" not in features.targets:
                raise InputError("a soft margin needs targets 'confidence', one number from 0 to 1 for each picture")
            margin = soft_margin(self.margin, features.targets["confidence"])
        return ranking_hinge(
            features.scores,
            positives(features),
            margin,
            self.negatives,
            to_texts=self.to_texts,
            to_pictures=self.to_pictures,
        )
