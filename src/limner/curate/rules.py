"""Rules by which alt-texts are kept or dropped: named predicates over a table of pairs (card 17, ALIGN).

Frequency rules count over the whole table as it came, so the order of rules does not matter. ALIGN's own:

    pictures   shorter side at least 200 px, sides within 3 : 1, no more than 1,000 alt-texts
    texts      shared by no more than 10 pictures, no rare words or pairs of words, 3 to 20 words

Jia et al. 2021, arXiv 2102.05918, section 3. Its filter of pornographic pictures is a model, no rule, and its removal
of test pictures compares contents: both are elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from limner.core.errors import InputError
from limner.core.types import Integers, Item

Mask: TypeAlias = npt.NDArray[np.bool_]
"""(n,): True for what is kept."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """n pairs of a picture and a text. Raises InputError where lengths differ."""

    texts: Sequence[str]
    pictures: Integers
    """(n,) a number for each picture: the same for all of its texts."""
    sides: Integers | None = None
    """(n, 2) width and height of the picture in pixels."""

    def __post_init__(self) -> None:
        for name, values in (("pictures", self.pictures), ("sides", self.sides)):
            if values is not None and len(values) != len(self.texts):
                raise InputError(f"{len(values)} {name} for {len(self.texts)} texts: give one for each text")

    def known_sides(self) -> Integers:
        if self.sides is None:
            raise InputError("a rule about the size of pictures needs their sides in pixels")
        return self.sides


class Rule(Protocol):
    def __call__(self, pairs: Pairs) -> Mask: ...


@dataclass(frozen=True, slots=True)
class LargeEnough:
    """The picture's shorter side has at least so many pixels."""

    side: int = 200

    def __call__(self, pairs: Pairs) -> Mask:
        return np.asarray(pairs.known_sides().min(1) >= self.side)


@dataclass(frozen=True, slots=True)
class NotStretched:
    """The longer side is at most so many times the shorter one."""

    ratio: float = 3.0

    def __call__(self, pairs: Pairs) -> Mask:
        sides = pairs.known_sides()
        return sides.max(1) <= self.ratio * sides.min(1)


@dataclass(frozen=True, slots=True)
class FewTexts:
    """The picture has no more than so many texts: one that stands on every page is a logo."""

    most: int = 1000

    def __call__(self, pairs: Pairs) -> Mask:
        _, row, counts = np.unique(pairs.pictures, return_inverse=True, return_counts=True)
        return np.asarray(counts[row] <= self.most)


@dataclass(frozen=True, slots=True)
class NotRepeated:
    """No more than so many pictures have this very text: "untitled" says nothing of any."""

    most: int = 10

    def __call__(self, pairs: Pairs) -> Mask:
        distinct = {(text, picture) for text, picture in zip(pairs.texts, pairs.pictures.tolist(), strict=True)}
        counts = Counter(text for text, _ in distinct)
        return _mask(counts[text] <= self.most for text in pairs.texts)


@dataclass(frozen=True, slots=True)
class CommonWords:
    """Every word and every two words in a row occur at least so many times in all texts together.

    ALIGN keeps the 100 million most frequent; a bound on the count says the same for data of any size.
    """

    least: int = 2

    def __call__(self, pairs: Pairs) -> Mask:
        grams = [_grams(text) for text in pairs.texts]
        counts = Counter(gram for some in grams for gram in some)
        return _mask(all(counts[gram] >= self.least for gram in some) for some in grams)


@dataclass(frozen=True, slots=True)
class Length:
    """The text has so many words."""

    least: int = 3
    most: int = 20

    def __call__(self, pairs: Pairs) -> Mask:
        return _mask(self.least <= len(text.split()) <= self.most for text in pairs.texts)


TEXT_RULES: tuple[Rule, ...] = (NotRepeated(), CommonWords(), Length())
PICTURE_RULES: tuple[Rule, ...] = (LargeEnough(), NotStretched(), FewTexts())


@dataclass(frozen=True, slots=True)
class Report:
    """What a filter did."""

    pairs: int
    kept: int
    dropped: dict[str, int]
    """Rule -> the pairs that it dropped and no rule before it did."""

    def text(self) -> str:
        lines = [f"{self.kept:,} of {self.pairs:,} pairs kept"]
        return "\n".join(lines + [f"{count:,} dropped by {rule}" for rule, count in self.dropped.items()])


@dataclass(frozen=True, slots=True)
class Rules:
    """What passes all of these."""

    rules: tuple[Rule, ...] = TEXT_RULES

    def __call__(self, texts: Sequence[str], pictures: Integers) -> Mask:
        """Texts and the number of each one's picture -> (n,) True for those that stay."""
        return self.judge(Pairs(texts, pictures))[0]

    def judge(self, pairs: Pairs) -> tuple[Mask, Report]:
        kept = np.ones(len(pairs.texts), bool)
        dropped = {}
        for rule in self.rules:
            passes = rule(pairs)
            dropped[repr(rule)] = int((kept & ~passes).sum())
            kept &= passes
        return kept, Report(len(kept), int(kept.sum()), dropped)

    def filter(self, items: Sequence[Item]) -> tuple[list[Item], Report]:
        """The items with the texts that stay; one of which none stays is left out.

        Rules about size read the fields "width" and "height"; raises InputError where they are missing.
        """
        pictures = np.array([row for row, item in enumerate(items) for _ in item.texts], np.int64)
        texts = [text for item in items for text in item.texts]
        kept, report = self.judge(Pairs(texts, pictures, _sides(items, pictures)))
        remaining: dict[int, list[str]] = {}
        for row, text, stays in zip(pictures.tolist(), texts, kept.tolist(), strict=True):
            if stays:
                remaining.setdefault(row, []).append(text)
        return [items[row].replace(texts=tuple(some)) for row, some in remaining.items()], report


def _sides(items: Sequence[Item], rows: Integers) -> Integers | None:
    if not all({"width", "height"} <= item.fields.keys() for item in items):
        return None
    sides = np.array([[item.fields["width"], item.fields["height"]] for item in items], np.int64).reshape(-1, 2)
    return sides[rows]


def _grams(text: str) -> list[str | tuple[str, str]]:
    words = text.lower().split()
    return [*words, *pairwise(words)]


def _mask(values: Iterable[bool]) -> Mask:
    return np.fromiter(values, bool)
