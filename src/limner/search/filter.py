"""The filter language: a condition on fields, from text to tree and back.

    condition  = all { "or" all }
    all        = one { "and" one }
    one        = "not" one | "(" condition ")" | comparison
    comparison = FIELD ( "=" | "!=" | "<" | "<=" | ">" | ">=" ) VALUE
               | FIELD [ "not" ] "in" "(" VALUE { "," VALUE } ")"
               | FIELD [ "not" ] "like" TEXT
               | FIELD "is" [ "not" ] "null"

FIELD is a bare word (letters, digits, `_`, `-`, `.`; no digit first; no keyword) or anything between
backticks. VALUE is a number, 'text' or "text", a date (2019-05-01 or 2019-05-01T12:00, kept as text),
true (1) or false (0). Inside quotes or backticks the delimiter is doubled to mean itself. Keywords are
written in either case; `==` is read as `=`.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from limner.core.errors import InputError, QueryError
from limner.core.query import And, Compare, In, IsNull, Like, Not, Or, Predicate
from limner.core.types import FieldValue

MAX_CHARACTERS = 10_000
MAX_NESTING = 10
"""Parentheses and `not` inside one another. SQLite's parser overflows from about 15 on (before version 3.46),
and every recursion over a parsed tree stays far from Python's limit."""
MAX_COMPARISONS = 250
"""Stays well below the depth of expression that SQLite accepts (1000), whose and/or nest to the left."""

_KEYWORDS = frozenset({"and", "or", "not", "in", "like", "is", "null", "true", "false"})
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_TOKEN = re.compile(
    r"""(?P<text>    '[^']*(?:''[^']*)*' | "[^"]*(?:""[^"]*)*" )
      | (?P<name>    `[^`]*(?:``[^`]*)*` )
      | (?P<literal> [-+]?\.?[0-9][\w.:+-]* )
      | (?P<word>    [^\W\d][\w.-]* )
      | (?P<sign>    [<>!=]+ | [(),] )""",
    re.VERBOSE,
)
_BARE_NAME = re.compile(r"[^\W\d][\w.-]*")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_REAL = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?")
_LEAST_INTEGER, _GREATEST_INTEGER = -(2**63), 2**63 - 1

_Node = TypeVar("_Node", And, Or)


def parse_filter(text: str) -> Predicate:
    """The tree of a filter. Raises QueryError, whose position is that of the character that is wrong."""
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"the filter has {len(text)} characters; at most {MAX_CHARACTERS}", text, MAX_CHARACTERS)
    parser = _Parser(text, 0)
    if parser.next.kind == "end":
        raise QueryError("the filter is empty: write a condition such as year >= 2019", text, 0)
    predicate = parser.condition()
    if parser.next.kind != "end":
        raise parser.error(f"expected and, or, or the end, found {parser.next}")
    return predicate


def parse_group(text: str, start: int) -> tuple[Predicate, int]:
    """A condition in parentheses that begins at `start` of a longer text, and the position after it."""
    parser = _Parser(text, start)
    parser.expect("(")
    predicate = parser.condition()
    if parser.next.text != ")":
        raise parser.error(f"expected and, or, or ), found {parser.next}")
    return predicate, parser.next.end


class _Token(NamedTuple):
    kind: str
    """text, name, literal, word, sign or end."""
    text: str
    start: int
    end: int

    def __str__(self) -> str:
        """How a message names it: one short line."""
        return " ".join(self.text.split())[:40] or "the end"

    def is_keyword(self, keyword: str) -> bool:
        return self.kind == "word" and self.text.lower() == keyword

    @property
    def content(self) -> str:
        """What stands between the delimiters of a `text` or `name`."""
        delimiter = self.text[0]
        return self.text[1:-1].replace(delimiter * 2, delimiter)


class _Parser:
    """Recursive descent with one token of look-ahead; it reads no further than the condition reaches."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.nesting = self.comparisons = 0
        self.next = self._read(start)

    def condition(self) -> Predicate:
        return self._chain("or", Or, lambda: self._chain("and", And, self._one))

    def error(self, message: str) -> QueryError:
        return QueryError(message, self.text, self.next.start)

    def expect(self, sign: str) -> None:
        if not self._take_sign(sign):
            raise self.error(f"expected {sign}, found {self.next}")

    def _chain(self, keyword: str, node: type[_Node], operand: Callable[[], Predicate]) -> Predicate:
        operands = [operand()]
        while self._take(keyword):
            operands.append(operand())
        return node(tuple(operands)) if len(operands) > 1 else operands[0]

    def _one(self) -> Predicate:
        if not (self.next.text == "(" or self.next.is_keyword("not")):
            return self._comparison()
        self.nesting += 1
        if self.nesting > MAX_NESTING:
            raise self.error(f"more than {MAX_NESTING} parentheses and nots inside one another: write it flatter")
        predicate: Predicate
        if self._take("not"):
            predicate = Not(self._one())
        else:
            self.expect("(")
            predicate = self.condition()
            self.expect(")")
        self.nesting -= 1
        return predicate

    def _comparison(self) -> Predicate:
        self.comparisons += 1
        if self.comparisons > MAX_COMPARISONS:
            raise self.error(f"more than {MAX_COMPARISONS} comparisons: use field in (...) where it fits")
        field = self._field()
        if self.next.kind == "sign" and self.next.text.replace("==", "=") in _COMPARISONS:
            operator = self._advance().text.replace("==", "=")
            return Compare(field, operator, self._value())  # type: ignore[arg-type]
        if self._take("is"):
            return self._is_null(field)
        negated = self._take("not")
        predicate: Predicate
        if self._take("in"):
            predicate = self._in(field)
        elif self._take("like"):
            if self.next.kind != "text":
                raise self.error("after like comes a quoted pattern, as in '%.jpg' (% any text, _ one character)")
            predicate = Like(field, self._advance().content)
        else:
            wanted = "in or like" if negated else "=, !=, <, <=, >, >=, in, like or is"
            raise self.error(f"expected {wanted} after the field {field}, found {self.next}")
        return Not(predicate) if negated else predicate

    def _is_null(self, field: str) -> Predicate:
        negated = self._take("not")
        if not self._take("null"):
            raise self.error("after is comes null or not null; to compare with a value use =")
        return Not(IsNull(field)) if negated else IsNull(field)

    def _in(self, field: str) -> Predicate:
        self.expect("(")
        values = [self._value()]
        while self._take_sign(","):
            values.append(self._value())
        if not self._take_sign(")"):
            raise self.error(f"expected a comma or ), found {self.next}")
        return In(field, tuple(values))

    def _field(self) -> str:
        token = self.next
        if token.kind == "name":
            if token.content == "":
                raise self.error("a field name between backticks is empty")
            return self._advance().content
        if token.kind == "word" and token.text.lower() not in _KEYWORDS:
            return self._advance().text
        hint = "; an unusual name goes between backticks" if token.kind in {"word", "text", "literal"} else ""
        raise self.error(f"expected a field name, found {token}{hint}")

    def _value(self) -> FieldValue:
        token = self.next
        if token.kind == "text":
            return self._advance().content
        if token.kind == "literal":
            value = self._literal(token.text)
            self._advance()
            return value
        if self._take("true"):
            return 1
        if self._take("false"):
            return 0
        if token.is_keyword("null"):
            raise self.error("nothing equals null: write is null or is not null")
        if token.kind == "word":
            raise self.error(f"{token} is no value: text goes in quotes, as in '{token}'")
        raise self.error(f"expected a number, a quoted text or a date, found {token}")

    def _literal(self, text: str) -> FieldValue:
        if _INTEGER.fullmatch(text):
            # Python refuses to read very long integers, so the length is looked at first.
            value = int(text) if len(text) <= 20 else _GREATEST_INTEGER + 1
            if not _LEAST_INTEGER <= value <= _GREATEST_INTEGER:
                raise self.error("this integer does not fit in 64 bits")
            return value
        if _REAL.fullmatch(text):
            if math.isinf(real := float(text)):
                raise self.error("this number is too large")
            return real
        if _DATE.fullmatch(text):
            try:
                datetime.datetime.fromisoformat(text)
            except ValueError:
                raise self.error(f"the calendar has no {text}") from None
            return text
        raise self.error(
            f"{text} is neither a number nor a date (2019-05-01, 2019-05-01T12:00); other text goes in quotes"
        )

    def _take(self, keyword: str) -> bool:
        return self.next.is_keyword(keyword) and bool(self._advance())

    def _take_sign(self, sign: str) -> bool:
        return self.next.text == sign and bool(self._advance())

    def _advance(self) -> _Token:
        taken, self.next = self.next, self._read(self.next.end)
        return taken

    def _read(self, position: int) -> _Token:
        while position < len(self.text) and self.text[position].isspace():
            position += 1
        if position == len(self.text):
            return _Token("end", "", position, position)
        match = _TOKEN.match(self.text, position)
        if match is None:
            character = self.text[position]
            problem = "this quote is never closed" if character in "'\"`" else f"unexpected character {character}"
            raise QueryError(problem, self.text, position)
        return _Token(str(match.lastgroup), match.group(), match.start(), match.end())


def print_filter(predicate: Predicate) -> str:
    """The canonical text of a filter: `parse_filter` gives back an equal tree.

    Raises InputError for a tree that no filter text describes (an empty list, a number that is not
    finite, an And of one operand, a tree beyond the limits above).
    """
    text = _Printer().condition(predicate, 0)
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"the filter has {len(text)} characters; at most {MAX_CHARACTERS}")
    return text


class _Printer:
    def __init__(self) -> None:
        self.comparisons = 0

    def condition(self, predicate: Predicate, nesting: int) -> str:
        if nesting > MAX_NESTING:
            raise InputError(f"the filter has more than {MAX_NESTING} parentheses and nots inside one another")
        match predicate:
            case And(operands) | Or(operands):
                if len(operands) < 2:
                    raise InputError("an and/or in a filter needs two conditions or more")
                within = (And, Or) if isinstance(predicate, And) else (Or,)
                keyword = " and " if isinstance(predicate, And) else " or "
                return keyword.join(self._operand(operand, within, nesting) for operand in operands)
            case Not(In() | Like() | IsNull() as positive):
                return self._comparison(positive, negated=True)
            case Not(operand):
                return f"not {self._operand(operand, (And, Or), nesting + 1)}"
            case _:
                return self._comparison(predicate)

    def _operand(self, predicate: Predicate, in_parentheses: tuple[type, ...], nesting: int) -> str:
        if isinstance(predicate, in_parentheses):
            return f"({self.condition(predicate, nesting + 1)})"
        return self.condition(predicate, nesting)

    def _comparison(self, predicate: Predicate, negated: bool = False) -> str:
        self.comparisons += 1
        if self.comparisons > MAX_COMPARISONS:
            raise InputError(f"the filter has more than {MAX_COMPARISONS} comparisons")
        no = "not " if negated else ""
        match predicate:
            case Compare(field, operator, value) if operator in _COMPARISONS:
                return f"{_print_field(field)} {operator} {_print_value(value)}"
            case In(field, values) if values:
                return f"{_print_field(field)} {no}in ({', '.join(map(_print_value, values))})"
            case Like(field, pattern):
                return f"{_print_field(field)} {no}like {_print_value(pattern)}"
            case IsNull(field):
                return f"{_print_field(field)} is {no}null"
        raise InputError(f"no filter text describes {predicate!r}")


def _print_field(name: str) -> str:
    if _BARE_NAME.fullmatch(name) and name.lower() not in _KEYWORDS:
        return name
    if not name:
        raise InputError("a field name in a filter is empty")
    return "`" + name.replace("`", "``") + "`"


def _print_value(value: FieldValue) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, int) and _LEAST_INTEGER <= value <= _GREATEST_INTEGER:
        return str(int(value))
    if isinstance(value, float) and math.isfinite(value):
        return repr(float(value))
    raise InputError(f"a filter cannot compare with {value!r}: a finite number or a text is needed")
