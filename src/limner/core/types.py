"""The nouns that every room of limner shares: what is kept, what a model makes of it, what is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError

Floats: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int64]
FieldValue: TypeAlias = str | int | float
"""A filterable value. Dates are ISO 8601 text, so that text order is time order."""

Modality: TypeAlias = Literal["image", "text", "video", "sound"]
Kind: TypeAlias = Literal["dense", "sparse", "tokens"]
Similarity: TypeAlias = Literal["cosine", "dot", "maxsim"]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a picture: a box in relative coordinates (0 to 1), maybe a mask, maybe a label."""

    box: tuple[float, float, float, float]
    """left, top, right, bottom, each relative to the picture's width or height."""
    label: str = ""
    mask: npt.NDArray[np.bool_] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        left, top, right, bottom = self.box
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise InputError(f"region {self.box}: needs 0 <= left < right <= 1 and 0 <= top < bottom <= 1")


@dataclass(frozen=True, slots=True)
class Stamp:
    """The cheap sign that a file has not changed: its size in bytes and its time of change."""

    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that can be found: a picture (later a video, a sound), with what is known about it."""

    uri: str
    """Where its bytes are: an absolute path, or `archive.tar::member`, or `table.parquet::column[row]`.

    A path that is not text is written as a `file:` URI, so that every uri can be stored.
    """
    id: str = ""
    """Stable name inside a collection. Empty: the collection gives one."""
    modality: Modality = "image"
    texts: tuple[str, ...] = ()
    fields: Mapping[str, FieldValue] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
    stamp: Stamp | None = None

    def replace(self, **changes: object) -> Item:
        return dataclasses.replace(self, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """One vector an item. `values` is (n, d) float32."""

    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Integers | slice) -> Dense:
        return Dense(self.values[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Sparse:
    """Weighted words of a vocabulary, one row an item, in compressed rows (CSR)."""

    indptr: Integers
    """(n + 1,): row i holds entries indptr[i] to indptr[i + 1]."""
    indices: Integers
    values: Floats
    vocabulary_size: int

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def take(self, rows: Integers | slice) -> Sparse:
        indptr, entries = _take_ragged(self.indptr, rows)
        return Sparse(indptr, self.indices[entries], self.values[entries], self.vocabulary_size)


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Several vectors an item: item i owns rows offsets[i] to offsets[i + 1] of `values` (total, d)."""

    offsets: Integers
    values: Floats

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: Integers | slice) -> Tokens:
        offsets, entries = _take_ragged(self.offsets, rows)
        return Tokens(offsets, self.values[entries])


def _take_ragged(offsets: Integers, rows: Integers | slice) -> tuple[Integers, Integers]:
    starts, ends = offsets[:-1][rows], offsets[1:][rows]
    lengths = ends - starts
    taken = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    entries = np.arange(taken[-1]) + np.repeat(starts - taken[:-1], lengths)
    return taken, entries


Representation: TypeAlias = Dense | Sparse | Tokens
Representations: TypeAlias = Mapping[str, Representation]
"""What a model makes of a batch: one representation for each of its spaces, by the space's name."""


@dataclass(frozen=True, slots=True)
class Space:
    """A named space that a model offers and an index serves."""

    name: str
    kind: Kind
    size: int
    """Dimension of its vectors; for `sparse`, the size of the vocabulary."""
    similarity: Similarity

    def nothing(self) -> Representation:
        """The representation of no item."""
        offsets = np.zeros(1, np.int64)
        if self.kind == "dense":
            return Dense(np.empty((0, self.size), np.float32))
        if self.kind == "tokens":
            return Tokens(offsets, np.empty((0, self.size), np.float32))
        return Sparse(offsets, np.empty(0, np.int64), np.empty(0, np.float32), self.size)


def concatenate(parts: Sequence[Representation], space: Space) -> Representation:
    """Several representations of one space as one."""
    every = [space.nothing(), *parts]
    values = np.concatenate([part.values for part in every])
    if space.kind == "dense":
        return Dense(values)
    if space.kind == "tokens":
        return Tokens(_joined_offsets([part.offsets for part in every if isinstance(part, Tokens)]), values)
    words = [part for part in every if isinstance(part, Sparse)]
    return Sparse(
        _joined_offsets([part.indptr for part in words]),
        np.concatenate([part.indices for part in words]),
        values,
        space.size,
    )


def _joined_offsets(parts: Sequence[Integers]) -> Integers:
    return np.concatenate([[0], np.cumsum(np.concatenate([np.diff(offsets) for offsets in parts]))]).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Hit:
    """One answer. `score` is the number that ranked it, `probability` its calibrated meaning."""

    item: Item
    score: float
    probability: float
    parts: Mapping[str, float] = field(default_factory=dict)
    """What each term of the query gave, as "space: term" -> share; the shares add up to `score`."""
    region: Region | None = None
    """The place in the picture that gave most, where the hit is explained and there is one."""
    regions: Mapping[str, Region] = field(default_factory=dict)
    """Where in the picture a part was found, by its name in `parts`, of those that have such a place."""

    @property
    def uri(self) -> str:
        return self.item.uri


class Run:
    """What a system answered: for each query, items with scores, best first.

    Ties are broken by the item's id, the same way for every metric, so that no order of the input
    can favour the right answer (equal scores must not look like a perfect ranking).
    """

    __slots__ = ("rankings",)

    def __init__(self, scores: Mapping[str, Mapping[str, float]]) -> None:
        self.rankings: dict[str, list[tuple[str, float]]] = {
            query: sorted(items.items(), key=lambda pair: (-pair[1], pair[0])) for query, items in scores.items()
        }

    def __len__(self) -> int:
        return len(self.rankings)


class Qrels:
    """What is right: for each query, the relevance grade (> 0 is relevant) of the judged items."""

    __slots__ = ("grades",)

    def __init__(self, grades: Mapping[str, Mapping[str, int]]) -> None:
        self.grades = {query: dict(items) for query, items in grades.items()}

    def __len__(self) -> int:
        return len(self.grades)

    def relevant(self, query: str) -> Sequence[str]:
        return [item for item, grade in self.grades.get(query, {}).items() if grade > 0]
