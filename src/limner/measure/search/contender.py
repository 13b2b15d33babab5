"""What takes part in `limner bench search`: an index behind one small interface, limner's own and others alike."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import numpy.typing as npt

from limner.core.types import Integers, Kind, Representation
from limner.measure.machine import version_of

Effort = Mapping[str, float]
"""Settings of a search that trade time for recall (`nprobe`, `ef` ...)."""
Mask = npt.NDArray[np.bool_]


class Contender(ABC):
    """An index of one kind of representation that is built into a folder once and opened in another process.

    A subclass may take settings in its constructor; a contender of other settings needs another `name`.
    """

    name: str
    kind: Kind
    package: str
    """The distribution whose version belongs to the numbers; "limner" for our own."""
    module: str = ""
    """What must be importable, where it is not called like the package."""
    at_most: int | None = None
    """More items than this take too long to build, or do not fit; see `takes`."""
    efforts: Sequence[Effort] = ({},)
    """From little to much."""
    filters: bool = False
    """Whether `search` takes `allowed`."""
    grows: bool = False
    """Whether `add` can be called on an open index."""

    @abstractmethod
    def build(self, items: Representation, folder: Path) -> None:
        """Index `items` (memory-mapped) in `folder`, which is empty; rows are their names."""

    @abstractmethod
    def open(self, items: Representation, folder: Path) -> None:
        """Make ready to search what `build` left there; `items` are the same, for who rescores from them."""

    @abstractmethod
    def search(self, query: Representation, k: int, effort: Effort, allowed: Mask | None = None) -> Integers:
        """Rows (at most k), best first, for a query of length 1. Called from several threads."""

    def add(self, items: Representation) -> None:
        """Further items, found when it returns, under rows that follow those there are."""
        raise NotImplementedError

    def held_bytes(self, folder: Path) -> int:
        """Bytes that the index keeps for answering; where it does not know better, those of its files."""
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def takes(self, workload: str, n: int) -> bool:
        """Whether it can be measured on n items of the workload of this name."""
        return self.at_most is None or n <= self.at_most

    @property
    def is_own(self) -> bool:
        return self.package == "limner"

    def installed(self) -> str | None:
        """The version at hand; None where the package is not installed."""
        return None if find_spec(self.module or self.package) is None else version_of(self.package)


def effort_text(effort: Effort) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in effort.items())
