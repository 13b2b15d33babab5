"""A published method as a recipe: the experiments that show it, and what they must show.

A recipe module of `limner.recipes` (or a file of your own) holds one function `recipe(scale) -> Recipe`; its
docstring is what `limner recipe list` and `show` print. Nothing imports recipes: they are found by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from limner.core.errors import InputError
from limner.train.experiment import Experiment, parts_of

Kind: TypeAlias = Literal[
    "model", "objective", "training", "adaptation", "head", "curation", "evaluation", "efficiency", "domain"
]


PLAN = ("experiment.py", "optimiser.py")
COMMON = (*PLAN, "batches.py")
"""Files that every method has a part of."""


@dataclass(frozen=True, slots=True)
class Claim:
    """ "On `metric`, `arm` is higher than `than` by more than `margin`": one line of the card's "works when".

    A negative margin says "loses no more than". `lower`: of this metric less is better.
    """

    says: str
    """In words, for the table."""
    metric: str
    arm: str = "method"
    than: str = "baseline"
    than_metric: str = ""
    """Another metric of `than`; empty: the same."""
    margin: float = 0.0
    lower: bool = False
    alike: bool = False
    """The opposite: no difference is seen, neither that way nor the other. Needs no margin."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """`arms["method"]` is what `limner train` trains; `arms["baseline"]` what it is measured against."""

    card: int
    kind: Kind
    paper: str
    arms: Mapping[str, Experiment]
    claims: tuple[Claim, ...]
    """The first is the headline; all must hold for the method to count as shown."""
    seeds: tuple[int, ...] = (0, 1, 2)
    notes: str = ""
    """What a reader of the table must know: what is reconstructed, what is smaller than in the paper."""

    def __post_init__(self) -> None:
        for claim in self.claims:
            for arm in (claim.arm, claim.than):
                if arm not in self.arms:
                    raise InputError(f"the claim {claim.says!r} names {arm!r}; the recipe has: {', '.join(self.arms)}")

    @property
    def method(self) -> Experiment:
        return self.arms["method"]

    def arm(self, name: str) -> Experiment:
        if name not in self.arms:
            raise InputError(f"no arm {name!r}; the recipe has: {', '.join(self.arms)}")
        return self.arms[name]

    def own_components(self) -> list[Path]:
        """The files of the parts that its baseline does without; if there are none, of those that it sets otherwise."""
        ours, theirs = list(parts_of(self.method)), list(parts_of(self.arms["baseline"]))
        kinds = {type(part) for part in theirs}
        if new := _files([part for part in ours if type(part) not in kinds], COMMON):
            return new
        changed = [part for part in ours if part not in theirs]
        # Not those that only hold a changed one.
        inner = [part for part in changed if not any(other in _below(part) for other in changed)]
        return _files(inner, PLAN)

    def components(self) -> list[Path]:
        """The files behind the method, its own first: what one reads to know it."""
        return list(dict.fromkeys(self.own_components() + _files(parts_of(self.method), COMMON)))


def _below(part: Any) -> list[Any]:
    return list(parts_of(part))[1:]


def _files(parts: Iterable[Any], without: Collection[str]) -> list[Path]:
    """Those that define the parts, each once."""
    files = dict.fromkeys(Path(inspect.getfile(type(part))) for part in parts)
    return [file for file in files if file.name not in without]
