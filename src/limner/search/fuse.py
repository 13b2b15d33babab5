"""Several rankings of the same items as one.

`Calibrated` adds up evidence: the log-odds that each space gives an item above what it gives an item of score 0,
with a weight for each space. Sums of log-odds divide into the shares of the terms and are a probability again,
so it is what the engine uses by itself; its weights are learnt by `learn_weights` where there is a validation
set. `ReciprocalRank` and `Borda` look at the order alone: right where the scores of a space mean nothing
outside of it. `markov_chain` is the aggregation of lists that lack items of one another (card 118).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Floats, Integers

Doubles = npt.NDArray[np.float64]

RANK_CONSTANT = 60
"""k of reciprocal rank fusion (Cormack, Clarke and Buettcher, SIGIR 2009): how little the first ranks stand out."""

_MOST_SURE = 1e-9
"""Probabilities closer to 0 or 1 than this are taken as this far: no evidence is infinite."""


class Fusion(Protocol):
    def __call__(self, spaces: Sequence[str], scores: Doubles, evidence: Doubles) -> Doubles:
        """What each space gives to the score of each item: (s, n), summed over spaces the fused score.

        `scores` (s, n) as each space has them; `evidence` (s, n) the same as log-odds, 0 where the score is 0.
        """
        ...


@dataclass(frozen=True)
class Calibrated:
    """`weights`: of each space by its name; one that is not named has its share of 1 among those not named."""

    weights: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, spaces: Sequence[str], scores: Doubles, evidence: Doubles) -> Doubles:
        gains: Doubles = self.of(spaces)[:, None] * evidence
        return gains

    def of(self, spaces: Sequence[str]) -> Doubles:
        """The weights (s,) of these spaces."""
        others = sum(name not in self.weights for name in spaces)
        return np.array([self.weights.get(name, 1 / max(others, 1)) for name in spaces])


@dataclass(frozen=True)
class ReciprocalRank:
    """sum of w / (constant + rank); ranks begin at 1."""

    constant: float = RANK_CONSTANT
    weights: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, spaces: Sequence[str], scores: Doubles, evidence: Doubles) -> Doubles:
        weights = np.array([self.weights.get(name, 1.0) for name in spaces])
        gains: Doubles = weights[:, None] / (self.constant + ranks(scores))
        return gains


@dataclass(frozen=True)
class Borda:
    """An item gets a point from each space for each item that it stands before, half a point for its equals."""

    weights: Mapping[str, float] = field(default_factory=dict)

    def __call__(self, spaces: Sequence[str], scores: Doubles, evidence: Doubles) -> Doubles:
        weights = np.array([self.weights.get(name, 1.0) for name in spaces])
        gains: Doubles = weights[:, None] * (scores.shape[1] - ranks(scores))
        return gains


def log_odds(probabilities: npt.ArrayLike) -> Doubles:
    clipped = np.clip(np.asarray(probabilities, np.float64), _MOST_SURE, 1 - _MOST_SURE)
    odds: Doubles = np.log(clipped / (1 - clipped))
    return odds


def ranks(scores: Doubles) -> Doubles:
    """The rank of each item (s, n) by each of s scores, 1 the best; equal ones share the mean of their ranks."""
    n = scores.shape[1]
    result = np.empty(scores.shape, np.float64)
    for row, own in zip(result, scores, strict=True):
        _, place, counts = np.unique(-own, return_inverse=True, return_counts=True)
        last = np.cumsum(counts)
        row[:] = (last - (counts - 1) / 2)[place] if n else 0
    return result


def markov_chain(rankings: Sequence[Sequence[int]], restart: float = 0.05, steps: int = 200) -> tuple[Integers, Floats]:
    """The ids of all rankings (each best first), best first, by the chain MC4 (Dwork et al., WWW 2001).

    From an item the chain proposes another at random and goes there if most of the rankings that hold both put
    it first; the scores are how often it is where. `restart`: how often it begins anew anywhere, so that items
    of rankings that share nothing can be compared. Equal scores are ordered by the smaller id.
    """
    ids = np.unique(np.concatenate([np.empty(0, np.int64), *(np.asarray(own, np.int64) for own in rankings)]))
    n = len(ids)
    if n == 0:
        return ids, np.empty(0, np.float32)
    margin = np.zeros((n, n))
    for own in rankings:
        place = np.full(n, np.nan)
        place[np.searchsorted(ids, np.asarray(own, np.int64))] = np.arange(len(own))
        margin += np.nan_to_num(np.sign(place[:, None] - place[None, :]))  # > 0: the column stands before the row
    moves = (margin > 0) / n
    moves[np.arange(n), np.arange(n)] = 1 - moves.sum(axis=1)
    chain = (1 - restart) * moves + restart / n
    where = np.full(n, 1 / n)
    for _ in range(steps):
        where = where @ chain
    scores = where.astype(np.float32)
    order = best_first(ids, scores)
    return ids[order], scores[order]


def learn_weights(evidence: Sequence[Doubles], relevant: Sequence[npt.NDArray[np.bool_]], steps: int = 500) -> Doubles:
    """Non-negative weights (s,) of spaces under which the relevant items of a validation set are most probable.

    For each question `evidence` (s, n) of its candidates and which of them are `relevant` (n,); what is made
    largest is the mean log of the softmax over candidates, summed over a question's relevant ones. Raises
    InputError where no question has a relevant candidate.
    """
    asked = [(own, good) for own, good in zip(evidence, relevant, strict=True) if good.any() and not good.all()]
    if not asked:
        raise InputError("no question of the validation set has a relevant and an irrelevant candidate; ask others")
    spaces = len(asked[0][0])
    logs = np.full(spaces, -np.log(spaces))
    for step in range(steps):
        gradient = np.zeros(spaces)
        for own, good in asked:
            fused = np.exp(logs) @ own
            chance = np.exp(fused - fused.max())
            chance /= chance.sum()
            chosen = chance * good
            gradient += own @ (chosen / max(chosen.sum(), 1e-12) - chance)
        # In logs, so that the weights stay above 0; steps that shrink, since the gradient is of one scale only.
        logs += np.clip(gradient * np.exp(logs) / len(asked), -1, 1) * 0.5 / (1 + step / 50)
    weights: Doubles = np.exp(logs)
    return weights


def best_first(ids: Integers, scores: Floats) -> Integers:
    """The rows that put `scores` in falling order, equal ones by the smaller id."""
    return np.lexsort((ids, -scores))
