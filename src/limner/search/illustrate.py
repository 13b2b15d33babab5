"""Pictures for a text of many sentences: a few that together show as much of it as they can (card 118).

    passages     sentences, the long ones in parts: questions of the length that models read and know
    candidates   the best pictures of each passage, with the probability that they fit it
    choice       k pictures by what they show: the sum over passages of the best probability (cover.py)

So a picture is taken for what it shows beside the others: of two that are alike the second adds nothing, and what many
sentences are about weighs more than what one mentions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from limner.core.errors import InputError
from limner.core.query import Predicate, Query, Term, Text
from limner.core.types import Hit
from limner.search.cover import cover
from limner.search.engine import Engine

CANDIDATES = 50
"""Pictures for each passage (at least 4 k)."""

LONGEST = 20
"""Words of a passage: captions, from which models learn, are hardly longer."""

_HAN = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_HAN}]|[^\W{_HAN}]+")
_PARAGRAPH = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[.!?][\"'”’)])\s+|(?<=[。！？])")
_CLAUSE_END = re.compile(r"(?<=[,;:])\s+|(?<=[，；：、])|\s+(?=[–—(])")


@dataclass(frozen=True, slots=True)
class Illustration:
    """One picture of the choice."""

    hit: Hit
    """As the answer to the passage that it fits best."""
    passages: tuple[str, ...]
    """What it shows better than the others of the choice do, in the order of the text."""


def illustrate(
    engine: Engine, text: str, k: int = 5, *, where: Predicate | None = None, min_probability: float = 0.0
) -> list[Illustration]:
    """At most k pictures for the text, the one that shows most first.

    Fewer where fewer exist, reach `min_probability` for a passage, or add anything. Raises InputError for a text
    without words, k < 1, and as `Engine.search_many` does.
    """
    told = passages(text)
    if not told:
        raise InputError("the text to illustrate holds no words: give it at least one sentence")
    queries = [Query((Term(Text(passage)),), where) for passage in told]
    answers = engine.search_many(queries, max(CANDIDATES, 4 * k), min_probability=min_probability)
    columns: dict[str, int] = {}
    fitting = [
        (row, columns.setdefault(hit.item.id, len(columns)), hit.probability)
        for row, hits in enumerate(answers)
        for hit in hits
    ]
    needs, items, services = zip(*fitting, strict=True) if fitting else ((), (), ())
    shown: dict[int, list[tuple[str, Hit]]] = {column: [] for column in cover(needs, items, services, k)}
    for passage, hits in zip(told, answers, strict=True):
        chosen = [hit for hit in hits if columns[hit.item.id] in shown]
        if chosen:
            best = max(chosen, key=lambda hit: hit.probability)
            shown[columns[best.item.id]].append((passage, best))
    return [
        Illustration(
            max((hit for _, hit in own), key=lambda hit: hit.probability), tuple(passage for passage, _ in own)
        )
        for own in shown.values()
        if own
    ]


def passages(text: str) -> list[str]:
    """The sentences of a text, none of more than `LONGEST` words: longer ones are parted at clauses, else at words.

    Every word is in one of them. Empty lines part paragraphs; other line breaks are spaces. In scripts without spaces
    every character counts as a word.
    """
    found: list[str] = []
    for paragraph in _PARAGRAPH.split(text):
        for sentence in _SENTENCE_END.split(" ".join(paragraph.split())):
            found += _parts(sentence)
    return [passage for passage in found if _WORD.search(passage)]


def _parts(sentence: str) -> list[str]:
    parts: list[str] = []
    room = 0
    start = 0
    ends = [*(match.end() for match in _CLAUSE_END.finditer(sentence)), len(sentence)]
    for end in ends:
        words = [match.end() for match in _WORD.finditer(sentence, start, end)]
        if len(words) <= room and parts:
            parts[-1] += sentence[start:end]
            room -= len(words)
        else:
            cuts = [start, *words[LONGEST - 1 : -1 : LONGEST], end]
            parts += [sentence[left:right] for left, right in pairwise(cuts)]
            room = -len(words) % LONGEST
        start = end
    return [part.strip() for part in parts]
