"""Pictures with their texts in memory: what training and its evaluations read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Integers


@dataclass(frozen=True, slots=True)
class Text:
    text: str
    role: str = "caption"
    """Kind of text: "caption", "long", "synthetic", "label" ..."""
    language: str = "en"
    part: int = -1
    """The object or region that it is about, as a number in `truth`; -1: the whole picture."""


@dataclass(frozen=True, slots=True, eq=False)
class Corpus:
    """n pictures; row i of everything belongs to picture i."""

    name: str
    images: npt.NDArray[Any]
    """What an image tower reads: (n, size, size, 3) uint8 pictures, or (n, t, channels) maps of a frozen backbone."""
    texts: Sequence[Sequence[Text]]
    """Some for each picture, or none: a picture may teach without words."""
    concepts: Integers | None = None
    """(n,): the class of what each picture shows."""
    targets: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    """By name, (n, ...): labels, or a teacher's stored answers. A name in `grids` is cropped like the picture."""
    grids: frozenset[str] = frozenset()
    """Names of the targets that are maps (n, t, channels) over the picture, t a square number."""
    truth: Sequence[Any] = ()
    """What is known of each picture (a drawn scene, say), for the evaluations that ask for it."""

    def __post_init__(self) -> None:
        lengths = {"texts": self.texts, "concepts": self.concepts, "truth": self.truth or None, **self.targets}
        for name, rows in lengths.items():
            if rows is not None and len(rows) != len(self.images):
                raise InputError(f"{self.name}: {len(rows)} {name} for {len(self.images)} images")

    def __len__(self) -> int:
        return len(self.images)

    def replace(self, **changes: Any) -> Corpus:
        return dataclasses.replace(self, **changes)

    def take(self, rows: Integers | Sequence[int]) -> Corpus:
        """Only these pictures, in this order."""
        rows = np.asarray(rows)
        return self.replace(
            images=self.images[rows],
            texts=[self.texts[row] for row in rows],
            concepts=None if self.concepts is None else self.concepts[rows],
            targets={name: values[rows] for name, values in self.targets.items()},
            truth=[self.truth[row] for row in rows] if len(self.truth) else (),
        )

    def with_roles(self, *roles: str) -> Corpus:
        """Only the texts of these roles."""
        return self.replace(texts=[[text for text in texts if text.role in roles] for texts in self.texts])


@dataclass(frozen=True, slots=True, eq=False)
class Corpora:
    """The data of one experiment. What is chosen on `validation` is told on `test`."""

    train: Corpus
    validation: Corpus
    test: Corpus
    more: Mapping[str, Corpus] = field(default_factory=dict)
    """Further test sets by name: near-twins, another language, another style."""

    def split(self, name: str) -> Corpus:
        if name in ("train", "validation", "test"):
            return getattr(self, name)  # type: ignore[no-any-return]
        if name not in self.more:
            raise InputError(f"no split {name!r}; there are: train, validation, test, {', '.join(self.more)}")
        return self.more[name]
