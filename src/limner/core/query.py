"""The Query tree: what a question is, for the command line, Python, the API and the page alike.

`search/query.py` parses text into this tree and prints it back; `search/engine.py` answers it;
`index/catalogue.py` turns its predicate into SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from limner.core.types import FieldValue, Region


@dataclass(frozen=True, slots=True)
class Text:
    words: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as (part of) a question; with a region, only that part of it."""

    uri: str
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class Turns:
    """A dialogue so far, oldest turn first."""

    turns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Example:
    """An item of the collection, by its id, as an example of what is wanted."""

    id: str


Content: TypeAlias = Text | Picture | Turns | Example


@dataclass(frozen=True, slots=True)
class Term:
    content: Content
    weight: float = 1.0
    """Negative: wanted absent."""


@dataclass(frozen=True, slots=True)
class Compare:
    field: str
    operator: Literal["=", "!=", "<", "<=", ">", ">="]
    value: FieldValue


@dataclass(frozen=True, slots=True)
class In:
    field: str
    values: tuple[FieldValue, ...]


@dataclass(frozen=True, slots=True)
class Like:
    """SQL LIKE: % stands for any text, _ for one character; case does not matter for ASCII."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """The item has no such field."""

    field: str


@dataclass(frozen=True, slots=True)
class Not:
    operand: Predicate


@dataclass(frozen=True, slots=True)
class And:
    operands: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Or:
    operands: tuple[Predicate, ...]


Predicate: TypeAlias = Compare | In | Like | IsNull | Not | And | Or
"""A condition on fields. Two-valued: a comparison with a field that an item lacks is false, its `not` true."""


@dataclass(frozen=True, slots=True)
class Query:
    terms: tuple[Term, ...] = ()
    where: Predicate | None = None
