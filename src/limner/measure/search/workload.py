"""A workload: items, queries, and the true answers, made from a seed, written once and memory-mapped from then on."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from limner.core.types import Floats, Integers, Kind, Representation
from limner.measure.search.exact import TRUTH_DEPTH, best
from limner.measure.search.stored import open_representation, write_representation

BLOCK_ROWS = 8192
"""Items that are made at a time."""

LATER_ROWS = 10_000
"""Further items of the same distribution (no more than the workload has), which a run adds to a finished index."""
_LATER = 1 << 40
"""Number of their first block."""

SELECTIVITIES = (0.0001, 0.01, 0.5, 0.99)
"""Shares of the items that the measured filters let through."""
FILTERED_QUERIES = 50
_VERSION = 1
"""Goes up when another collection comes out of the same settings."""


@dataclass(frozen=True)
class Workload(ABC):
    """`n` items of one kind and the queries put to them. A subclass adds its settings and says how both are drawn."""

    n: int
    seed: int = 0
    query_count: int = 500
    """Queries in each set of queries."""

    name: ClassVar[str]
    kind: ClassVar[Kind]

    @abstractmethod
    def block(self, number: int, rows: int) -> Representation:
        """Items of the block of this number: always the same ones."""

    @abstractmethod
    def queries(self, items: Representation) -> Mapping[str, Representation]:
        """The sets of queries by name, given all items (memory-mapped)."""

    @property
    def label(self) -> str:
        """Of the folder it is kept in: another one wherever anything differs."""
        settings = hashlib.sha256(f"{_VERSION} {self!r}".encode()).hexdigest()
        return f"{self.name.replace(' ', '-')}-{self.n}-{settings[:10]}"

    def blocks(self) -> Iterator[Representation]:
        for number, start in enumerate(range(0, self.n, BLOCK_ROWS)):
            yield self.block(number, min(BLOCK_ROWS, self.n - start))

    def more(self, count: int) -> Iterator[Representation]:
        """`count` further items of the same distribution."""
        for number, start in enumerate(range(0, count, BLOCK_ROWS)):
            yield self.block(_LATER + number, min(BLOCK_ROWS, count - start))

    def write(self, folder: Path) -> None:
        """Items, queries and true answers into `folder`, a new one."""
        folder.mkdir(parents=True)
        facts = {"name": self.name, "kind": self.kind, "n": self.n, "seed": self.seed, "settings": repr(self)}
        (folder / "workload.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        write_representation(folder, "items", self.blocks())
        write_representation(folder, "later", self.more(min(LATER_ROWS, self.n)))
        items = open_representation(folder, "items")
        for name, made in self.queries(items).items():
            write_representation(folder, f"queries-{name}", [made])
            queries = open_representation(folder, f"queries-{name}")  # as they are kept, which may be rounded
            np.save(folder / f"truth-{name}.npy", best(items, queries, TRUTH_DEPTH))
            few = queries.take(slice(0, FILTERED_QUERIES))
            for selectivity in SELECTIVITIES:
                allowed = filter_mask(self.n, selectivity, self.seed)
                np.save(folder / f"truth-{name}-{selectivity}.npy", best(items, few, TRUTH_DEPTH, allowed))

    def generator(self, *key: int) -> np.random.Generator:
        """Chance that depends on the seed and on `key` only."""
        return np.random.default_rng([self.seed, *key])


class Opened:
    """A workload on disk: all that a contender needs of it, whoever made it."""

    def __init__(self, folder: Path) -> None:
        facts = json.loads((folder / "workload.json").read_text(encoding="utf-8"))
        self.folder = folder
        self.name: str = facts["name"]
        self.kind: Kind = facts["kind"]
        self.n: int = facts["n"]
        self._seed: int = facts["seed"]

    @property
    def items(self) -> Representation:
        return open_representation(self.folder, "items")

    @property
    def later(self) -> Representation:
        return open_representation(self.folder, "later")

    @property
    def query_sets(self) -> tuple[str, ...]:
        names = {path.name.removeprefix("queries-").split(".")[0] for path in self.folder.glob("queries-*.npy")}
        return tuple(sorted(names))

    def queries(self, name: str) -> Representation:
        return open_representation(self.folder, f"queries-{name}")

    def truth(self, name: str, selectivity: float | None = None) -> Integers:
        """(queries, 100) rows of the best items, best first; -1 where fewer than 100 can be answers.

        `selectivity`: among those that this filter lets through, for the first FILTERED_QUERIES.
        """
        which = name if selectivity is None else f"{name}-{selectivity}"
        answers: Integers = np.load(self.folder / f"truth-{which}.npy")
        return answers

    def allowed(self, selectivity: float) -> npt.NDArray[np.bool_]:
        return filter_mask(self.n, selectivity, self._seed)


def open_workload(workload: Workload, cache: Path) -> Opened:
    """The workload as it lies in `cache`, written there first if it does not yet."""
    folder = cache / workload.label
    if not folder.exists():
        partial = cache / f"{workload.label}.{os.getpid()}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        workload.write(partial)
        partial.rename(folder)
    return Opened(folder)


def filter_mask(n: int, selectivity: float, seed: int) -> npt.NDArray[np.bool_]:
    """(n,) which items a filter lets through: that share of them (one at least), by chance."""
    mask = np.zeros(n, np.bool_)
    count = max(1, round(n * selectivity))
    mask[np.random.default_rng([seed, count]).choice(n, count, replace=False)] = True
    return mask


def unit(vectors: Floats) -> Floats:
    """Vectors (n, d) brought to length 1, in place."""
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors


def power_law(count: int, exponent: float, offset: float = 0) -> npt.NDArray[np.float64]:
    """(count,) probabilities that fall as (rank + offset) to the power of -exponent (Zipf and Mandelbrot)."""
    weights = (np.arange(1, count + 1) + offset) ** -exponent
    probabilities: npt.NDArray[np.float64] = weights / weights.sum()
    return probabilities
