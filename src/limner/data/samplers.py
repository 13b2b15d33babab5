"""Which pictures a step sees, and which of their texts: a function of the seed and the step's number alone.

So a run that was stopped goes on with the batches it would have had, and N processes agree on each batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from limner.core.errors import InputError
from limner.core.types import Integers
from limner.data.corpus import Corpus


class Sampler(Protocol):
    """Settings; `bind` looks at the corpus once and gives what answers step by step."""

    def bind(self, corpus: Corpus, seed: int) -> BoundSampler: ...


class BoundSampler(Protocol):
    def __call__(self, step: int) -> Integers:
        """Rows of the corpus, (n,), none of them twice."""
        ...


@dataclass(frozen=True, slots=True)
class Shuffled:
    """Every picture once an epoch, in an order drawn anew for each; what is left at an epoch's end is left out."""

    size: int = 256

    def bind(self, corpus: Corpus, seed: int) -> BoundSampler:
        return _Epochs(np.arange(len(corpus)), min(self.size, len(corpus)), seed)


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of a corpus that lie one behind the other, each with its share of every batch."""

    size: int
    lengths: tuple[int, ...]
    """Pictures of each part."""
    shares: tuple[float, ...]

    def bind(self, corpus: Corpus, seed: int) -> BoundSampler:
        if sum(self.lengths) != len(corpus):
            raise InputError(f"{corpus.name}: parts of {self.lengths} pictures, but there are {len(corpus)}")
        starts = np.cumsum([0, *self.lengths])
        counts = [round(self.size * share / sum(self.shares)) for share in self.shares]
        parts = [
            _Epochs(np.arange(start, start + length), min(count, length), seed + 7919 * number)
            for number, (start, length, count) in enumerate(zip(starts, self.lengths, counts, strict=False))
            if count
        ]
        return lambda step: np.concatenate([part(step) for part in parts])


@dataclass(frozen=True, slots=True)
class ByConcept:
    """`concepts` different concepts a batch, `each` pictures of every one (fewer where it has fewer)."""

    concepts: int = 64
    each: int = 4

    def bind(self, corpus: Corpus, seed: int) -> BoundSampler:
        if corpus.concepts is None:
            raise InputError(f"{corpus.name}: batches by concept need a concept for each picture")
        order = np.argsort(corpus.concepts, kind="stable")
        edges = np.flatnonzero(np.diff(corpus.concepts[order])) + 1
        members = np.split(order, edges)
        chosen = _Epochs(np.arange(len(members)), min(self.concepts, len(members)), seed)

        def rows(step: int) -> Integers:
            rng = np.random.default_rng((seed, 1, step))
            drawn = [rng.permutation(members[concept])[: self.each] for concept in chosen(step)]
            return np.concatenate(drawn)

        return rows


@dataclass(frozen=True, slots=True)
class HardNegatives:
    """A few pictures drawn at random, each with its nearest neighbours in the corpus's target of that name.

    `neighbours`: name of a target (n, k) int64, the rows that are most easily confused with each picture.
    """

    size: int = 256
    each: int = 4
    neighbours: str = "neighbours"

    def bind(self, corpus: Corpus, seed: int) -> BoundSampler:
        if self.neighbours not in corpus.targets:
            raise InputError(f"{corpus.name}: hard negatives need the target {self.neighbours!r}")
        near = corpus.targets[self.neighbours][:, : self.each - 1]
        seeds = _Epochs(np.arange(len(corpus)), max(1, min(self.size // self.each, len(corpus))), seed)

        def rows(step: int) -> Integers:
            first = seeds(step)
            return np.unique(np.concatenate([first, near[first].reshape(-1)]))

        return rows


class _Epochs:
    """Draws without replacement, reachable at any step."""

    def __init__(self, values: Integers, size: int, seed: int) -> None:
        self._values, self._size, self._seed = values, size, seed
        self._an_epoch = max(1, len(values) // max(1, size))
        self._order: tuple[int, Integers] = (-1, values)

    def __call__(self, step: int) -> Integers:
        epoch, place = divmod(step, self._an_epoch)
        if self._order[0] != epoch:
            self._order = (epoch, np.random.default_rng((self._seed, epoch)).permutation(self._values))
        return self._order[1][place * self._size : (place + 1) * self._size]


@dataclass(frozen=True, slots=True)
class TextChoice:
    """Which texts of a picture go into a batch: `count` (0: all) of each of these roles (none named: of any).

    Drawn without replacement; where there are fewer, all of them.
    """

    count: int = 1
    roles: tuple[str, ...] = ()

    def pick(self, corpus: Corpus, row: int, rng: np.random.Generator) -> Sequence[int]:
        """Positions in `corpus.texts[row]`."""
        texts = corpus.texts[row]
        if not self.roles:
            return self._draw(range(len(texts)), rng)
        return [
            place
            for role in self.roles
            for place in self._draw([place for place, text in enumerate(texts) if text.role == role], rng)
        ]

    def _draw(self, places: Sequence[int], rng: np.random.Generator) -> Sequence[int]:
        if self.count == 0 or len(places) <= self.count:
            return places
        if self.count == 1:
            return [places[rng.integers(len(places))]]
        return [places[place] for place in sorted(rng.choice(len(places), self.count, replace=False))]
