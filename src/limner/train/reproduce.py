"""Reproduce a recipe: every arm with every seed, the claims judged on paired differences, one row for the table.

Two things make a difference uncertain: the seed and the questions that were asked. The interval resamples
both, in pairs: a draw takes seeds with replacement and pictures (with all their captions) with replacement.
With few seeds such an interval is narrow, so a claim also needs the same sign with every single seed. No
winner is named while the interval holds the margin (card 7: Rao et al. 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from limner.core.errors import InputError
from limner.eval.intervals import interval
from limner.eval.metrics.base import Doubles
from limner.train.outcome import Measured, Outcome
from limner.train.recipe import Claim, Recipe
from limner.train.revision import commit
from limner.train.runs import Place, measured

DRAWS, LEVEL = 2000, 0.95
Verdict: TypeAlias = Literal["holds", "not seen", "contradicted"]


@dataclass(frozen=True, slots=True)
class Judged:
    """`difference` is oriented: above the margin is what the claim says."""

    claim: Claim
    arm: float
    than: float
    by_seed: tuple[float, ...]
    low: float
    high: float

    @property
    def difference(self) -> float:
        return float(np.mean(self.by_seed))

    @property
    def verdict(self) -> Verdict:
        margin = self.claim.margin
        above = self.low > margin and min(self.by_seed) > margin
        below = self.high < margin and max(self.by_seed) < margin
        if self.claim.alike:
            return "contradicted" if above or below else "holds"
        return "holds" if above else "contradicted" if below else "not seen"


@dataclass(frozen=True, slots=True)
class Reproduction:
    judged: tuple[Judged, ...]
    """In the order of the recipe's claims."""
    outcomes: Mapping[str, Sequence[Outcome]]
    """Arm -> what each seed's run was measured to be."""
    minutes: float
    """That all the runs took, those done earlier included."""


def reproduce(recipe: Recipe, place: Place) -> Reproduction:
    """Train and measure what is not there yet, and judge the claims."""
    runs = {
        name: [measured(experiment, seed, place) for seed in recipe.seeds] for name, experiment in recipe.arms.items()
    }
    outcomes = {name: [run.outcome for run in arm] for name, arm in runs.items()}
    seconds = {run.folder: run.seconds for arm in runs.values() for run in arm}
    judged = tuple(judge(claim, outcomes[claim.arm], outcomes[claim.than]) for claim in recipe.claims)
    return Reproduction(judged, outcomes, sum(seconds.values()) / 60)


def judge(claim: Claim, arm: Sequence[Outcome], than: Sequence[Outcome]) -> Judged:
    """Paired seed by seed and question by question."""
    first = [_metric(outcome, claim.metric) for outcome in arm]
    second = [_metric(outcome, claim.than_metric or claim.metric) for outcome in than]
    sign = -1.0 if claim.lower else 1.0
    paired = all(len(one.values) == len(other.values) for one, other in zip(first, second, strict=True))
    draws = _draws(first, second, paired)
    low, high = interval(np.sort(sign * draws), LEVEL)
    by_seed = tuple(sign * (one.mean - other.mean) for one, other in zip(first, second, strict=True))
    means = (float(np.mean([one.mean for one in ones])) for ones in (first, second))
    return Judged(claim, *means, by_seed, low, high)


def _draws(first: Sequence[Measured], second: Sequence[Measured], paired: bool) -> Doubles:
    """(DRAWS,) of mean(first) - mean(second)."""
    rng = np.random.default_rng(0)
    count = len(first)
    sums = [_sums(ones) for ones in (first, second)]
    results = np.empty(DRAWS)
    for draw in range(DRAWS):
        seeds = rng.integers(count, size=count)
        weights = [np.bincount(rng.integers(n, size=n), minlength=n) for n in (sizes.shape[1] for _, sizes in sums)]
        if paired:
            weights[1] = weights[0]
        means = [
            np.mean((values[seeds] @ weight) / (sizes[seeds] @ weight))
            for (values, sizes), weight in zip(sums, weights, strict=True)
        ]
        results[draw] = means[0] - means[1]
    return results


def _sums(ones: Sequence[Measured]) -> tuple[Doubles, Doubles]:
    """(seeds, clusters): the sum of the values, and how many there are."""
    count = max(int(one.clusters.max()) + 1 for one in ones)
    return (
        np.stack([np.bincount(one.clusters, one.values, count) for one in ones]),
        np.stack([np.bincount(one.clusters, minlength=count) for one in ones]).astype(np.float64),
    )


def _metric(outcome: Outcome, name: str) -> Measured:
    if name not in outcome:
        raise InputError(f"nothing measured {name!r}; there is: {', '.join(sorted(outcome))}")
    return outcome[name]


def row(command: str, recipe: Recipe, reproduction: Reproduction) -> dict[str, Any]:
    """The row for the table of expected results."""
    held = [one.verdict == "holds" for one in reproduction.judged]
    status = "holds" if all(held) else "holds in part" if held[0] else "does not hold here"
    return {
        "card": recipe.card,
        "status": status,
        "command": command,
        "seeds": list(recipe.seeds),
        "minutes": round(reproduction.minutes, 1),
        "commit": commit()[:12],
        "claims": [_claim_row(one) for one in reproduction.judged],
        "arms": {
            arm: {metric: round(float(np.mean([one[metric].mean for one in ones])), 4) for metric in sorted(ones[0])}
            for arm, ones in reproduction.outcomes.items()
        },
        **({"notes": recipe.notes} if recipe.notes else {}),
    }


def _claim_row(one: Judged) -> dict[str, Any]:
    return {
        "says": one.claim.says,
        "metric": one.claim.metric,
        "arm": one.claim.arm,
        "than": one.claim.than,
        "values": [round(one.arm, 4), round(one.than, 4)],
        "difference": round(one.difference, 4),
        "interval": [round(one.low, 4), round(one.high, 4)],
        "by_seed": [round(value, 4) for value in one.by_seed],
        "margin": one.claim.margin,
        "verdict": one.verdict,
    }
