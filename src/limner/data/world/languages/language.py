"""What a language is: a lexicon with ways of saying each thing, and two forms that facts take."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from limner.data.world.facts import Backdrop, Count, Fact


class Language(ABC):
    """One choice among the ways of saying the same, kept through a text.

    `voice` chooses: the same number always chooses the same ways; None chooses the first, plainest way of each, so
    that the same facts always have the same text.
    """

    code: ClassVar[str]
    between: ClassVar[str] = " "
    """What stands between two sentences."""
    vague: ClassVar[Sequence[str]]
    """Texts that are true of every picture and say nothing."""
    lexicon: ClassVar[Mapping[str, Sequence[Any]]]
    """The ways of saying each value of the worlds, and whatever else the language varies."""

    def __init__(self, voice: int | None = None) -> None:
        if voice is None:
            self.way = {name: ways[0] for name, ways in self.lexicon.items()}
        else:
            chance = Random(voice).random
            self.way = {name: ways[int(chance() * len(ways))] for name, ways in self.lexicon.items()}

    @abstractmethod
    def phrase(self, facts: Sequence[Fact]) -> str:
        """The facts as one line, as people write captions: "a red circle and a star on a blue background"."""

    @abstractmethod
    def sentence(self, fact: Fact) -> str:
        """The fact as a whole sentence: "There is a red circle in the upper left." """


def split_backdrop(facts: Sequence[Fact]) -> tuple[list[Fact], list[Backdrop]]:
    """What is in the picture, and behind it."""
    backdrops = [fact for fact in facts if isinstance(fact, Backdrop)]
    return [fact for fact in facts if not isinstance(fact, Backdrop)], backdrops


def is_none(fact: Fact) -> bool:
    return isinstance(fact, Count) and fact.number == 0


def join(parts: Sequence[str], comma: str, conjunction: str) -> str:
    """ "a, b and c" """
    return comma.join(parts[:-1]) + (conjunction if len(parts) > 1 else "") + parts[-1]


def as_sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
