"""The query language: from text to tree and back, the same for command line, Python, API and page.

A query is a row of parts with white space between them. A sign means something only where a part begins:

    a brown dog        plain words: together they are one text, one sentence for the model
    "red car"          a text of its own
    -person            wanted absent: a minus right before a word, a phrase, a picture or a dialogue
    2:dog              a weight: a decimal number and a colon right before such a thing, but not before a digit,
                       so that 10:30 and 3:2 are plain words; a minus stands before the weight: -0.5:person
    image:cat.jpg      a picture; image:"a b.jpg" where the path has spaces
    image:a.jpg@0.1,0.2,0.6,0.9
                       only that region of it: left, top, right, bottom, relative to width and height;
                       a fifth part, in quotes, is its label
    dialogue:("a dog", "on a beach")
                       a dialogue so far, oldest turn first
    like:i12           an item of the collection, by its id, as an example
    where:(year > 2018)
                       a filter (see filter.py) in parentheses, or in quotes

Between quotes, `\\"` is a quote and `\\\\` a backslash; any other backslash stands for itself. Outside quotes
nothing is escaped: what begins like a sign but is meant as a word goes into quotes, as in "-5".
"""

from __future__ import annotations

import re

from limner.core.errors import InputError, QueryError
from limner.core.query import Content, Example, Picture, Predicate, Query, Term, Text, Turns
from limner.core.types import Region
from limner.search.filter import parse_filter, parse_group, print_filter

MAX_CHARACTERS = 10_000
MAX_TERMS = 100
MIN_WEIGHT, MAX_WEIGHT = 0.001, 1000.0

_NUMBER = r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)"
_COORDINATE = rf"(-?{_NUMBER}(?:[eE][-+]?[0-9]+)?)"
_WEIGHT = re.compile(rf"({_NUMBER}):(?![0-9])")
_SIGN = re.compile(rf'["-]|{_WEIGHT.pattern}|image:|dialogue:|like:|where:')
"""What begins anything but a plain word."""
_WORD = re.compile(r"\S+")
_PATH = re.compile(rf"(?:(?!@{_COORDINATE},)\S)+")
"""A path without quotes: up to white space, or to the @ of a region."""
_REGION = re.compile("@" + ",".join([_COORDINATE] * 4))


def parse_query(text: str) -> Query:
    """The tree of a query. Raises QueryError, whose position is that of the character that is wrong."""
    if len(text) > MAX_CHARACTERS:
        raise QueryError(f"the query has {len(text)} characters; at most {MAX_CHARACTERS}", text, MAX_CHARACTERS)
    return _Scanner(text).query()


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0

    def query(self) -> Query:
        terms: list[Term] = []
        where: Predicate | None = None
        while self._skip_space():
            start = self.position
            if self._take("where:"):
                if where is not None:
                    raise self._error("a second where: join the two conditions with and", start)
                where = self._where()
            elif len(terms) == MAX_TERMS:
                raise self._error(f"more than {MAX_TERMS} terms")
            elif _SIGN.match(self.text, start):
                terms.append(self._term())
            else:
                terms.append(self._plain_words())
                continue
            if not self._at_space():
                raise self._error("a space is needed here")
        if not terms and where is None:
            raise self._error("the query is empty: write what the picture should show", 0)
        return Query(tuple(terms), where)

    def _plain_words(self) -> Term:
        words = [self._word()]
        while self._skip_space() and not _SIGN.match(self.text, self.position):
            words.append(self._word())
        return Term(Text(" ".join(words)))

    def _term(self) -> Term:
        start = self.position
        sign = -1.0 if self._take("-") else 1.0
        if self._at_space():
            raise self._error(
                'a minus stands right before its word, as in -person; as a plain sign, in quotes: "-"', start
            )
        weight = self._weight()
        if self.text.startswith("-", self.position):
            raise self._error("one minus is enough, and it stands first, as in -2:person")
        if _WEIGHT.match(self.text, self.position):
            raise self._error("one weight is enough")
        if self.text.startswith("where:", self.position):
            raise self._error("a filter has neither minus nor weight: write where:(not ...)")
        return Term(self._content(), sign * weight)

    def _weight(self) -> float:
        match = _WEIGHT.match(self.text, self.position)
        if match is None:
            return 1.0
        weight = float(match[1])
        if not MIN_WEIGHT <= weight <= MAX_WEIGHT:
            raise self._error(
                f'a weight is from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}; as plain words, in quotes: "{match[0]} ..."'
            )
        start, self.position = self.position, match.end()
        if self._at_space():
            raise self._error(
                f'a weight stands right before its word, as in 2:dog; as plain words, in quotes: "{match[0]} ..."',
                start,
            )
        return weight

    def _content(self) -> Content:
        if self.text.startswith('"', self.position):
            return Text(self._phrase())
        if self._take("image:"):
            return self._picture()
        if self._take("dialogue:"):
            return self._dialogue()
        if self._take("like:"):
            return Example(self._phrase() if self.text.startswith('"', self.position) else self._word())
        return Text(self._word())

    def _word(self) -> str:
        return self._match(_WORD, "a word")[0]

    def _phrase(self) -> str:
        start = self.position
        words, _ = self._quoted()
        if not words.strip():
            raise self._error("there is nothing between these quotes", start)
        return words

    def _picture(self) -> Picture:
        if self.text.startswith('"', self.position):
            path = self._phrase()
        else:
            path = self._match(_PATH, 'the path of a picture right after image: (in quotes, as in image:"a b.jpg")')[0]
        return Picture(path, self._region() if self.text.startswith("@", self.position) else None)

    def _region(self) -> Region:
        start = self.position
        match = self._match(_REGION, "four numbers (left,top,right,bottom), or quotes around the path")
        left, top, right, bottom = (float(number) for number in match.groups())
        label = self._quoted()[0] if self._take(",") else ""
        try:
            return Region((left, top, right, bottom), label)
        except InputError as error:
            raise self._error(str(error), start + 1) from None

    def _dialogue(self) -> Turns:
        if not self._take("("):
            raise self._error('expected ( after dialogue:, as in dialogue:("a dog", "on a beach")')
        turns: list[str] = []
        while not turns or self._take(","):
            self._skip_space()
            turns.append(self._phrase())
            self._skip_space()
        if not self._take(")"):
            raise self._error("expected a comma or ) after a turn")
        return Turns(tuple(turns))

    def _where(self) -> Predicate:
        if self.text.startswith("(", self.position):
            predicate, self.position = parse_group(self.text, self.position)
            return predicate
        if not self.text.startswith('"', self.position):
            raise self._error("a filter stands in parentheses, as in where:(year > 2018)")
        condition, places = self._quoted()
        try:
            return parse_filter(condition)
        except QueryError as error:
            raise self._error(error.message, places[error.position]) from None

    def _quoted(self) -> tuple[str, list[int]]:
        """The text between quotes, and where each of its characters (last, the closing quote) stands in the query."""
        start = self.position
        if not self._take('"'):
            raise self._error('expected a quote (")')
        characters: list[str] = []
        places: list[int] = []
        while self.position < len(self.text):
            if self._take('"'):
                return "".join(characters), [*places, self.position - 1]
            if self.text.startswith(('\\"', "\\\\"), self.position):
                self.position += 1
            characters.append(self.text[self.position])
            places.append(self.position)
            self.position += 1
        raise self._error("this quote is never closed", start)

    def _match(self, pattern: re.Pattern[str], expected: str) -> re.Match[str]:
        match = pattern.match(self.text, self.position)
        if match is None:
            raise self._error(f"expected {expected}")
        self.position = match.end()
        return match

    def _take(self, sign: str) -> bool:
        taken = self.text.startswith(sign, self.position)
        self.position += len(sign) * taken
        return taken

    def _at_space(self) -> bool:
        """At white space or at the end."""
        return self.position == len(self.text) or self.text[self.position].isspace()

    def _skip_space(self) -> bool:
        """Go to the next character that is no white space; False at the end."""
        while self.position < len(self.text) and self.text[self.position].isspace():
            self.position += 1
        return self.position < len(self.text)

    def _error(self, message: str, position: int | None = None) -> QueryError:
        return QueryError(message, self.text, self.position if position is None else position)


def check_query(query: Query) -> None:
    """Raises InputError for a tree that asks nothing or cannot be answered: the limits of the language hold for all."""
    if not query.terms and query.where is None:
        raise InputError("the query is empty: it has neither terms nor a filter")
    if len(query.terms) > MAX_TERMS:
        raise InputError(f"the query has {len(query.terms)} terms; at most {MAX_TERMS}")
    for term in query.terms:
        if not MIN_WEIGHT <= abs(term.weight) <= MAX_WEIGHT:
            raise InputError(
                f"the weight {term.weight} in a query: its size must be from {MIN_WEIGHT:g} to {MAX_WEIGHT:g}"
            )
        match term.content:
            case Text(words):
                parts: tuple[str, ...] = (words,)
            case Picture(uri):
                parts = (uri,)
            case Turns(turns):
                parts = turns
            case Example(id):
                parts = (id,)
        if not parts or not all(part.strip() for part in parts):
            raise InputError(f"a term of the query is empty: {term.content}")


def print_query(query: Query) -> str:
    """The canonical text of a query: `parse_query` gives back an equal tree.

    Raises InputError for a tree that `check_query` refuses or that text cannot hold (a region with a
    mask, more characters than a query may have).
    """
    check_query(query)
    parts: list[str] = []
    was_plain = False
    for term in query.terms:
        if isinstance(term.content, Picture) and term.content.region and term.content.region.mask is not None:
            raise InputError(f"{term.content.uri}: a region with a mask cannot be written as text")
        part = print_term(term)
        is_plain = not _SIGN.match(part)
        # Two plain texts side by side would be read as one.
        parts.append(_quote(part) if is_plain and was_plain else part)
        was_plain = is_plain and not was_plain
    if query.where is not None:
        parts.append(f"where:({print_filter(query.where)})")
    text = " ".join(parts)
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"the query has {len(text)} characters; at most {MAX_CHARACTERS}")
    return text


def print_term(term: Term) -> str:
    """The text of one term: sign, weight unless 1, content."""
    weight = abs(term.weight)
    prefix = "-" * (term.weight < 0) + (f"{_print_number(weight)}:" if weight != 1 else "")
    match term.content:
        case Text(words):
            plain = " ".join(words.split()) == words and not any(map(_SIGN.match, words.split()))
            if prefix:  # it binds to one word, and a weight to none that begins with a digit
                plain = plain and " " not in words and not (weight != 1 and words[0] in "0123456789")
            return prefix + (words if plain else _quote(words))
        case Picture(uri, region):
            bare = _PATH.fullmatch(uri) and not uri.startswith('"')
            return f"{prefix}image:{uri if bare else _quote(uri)}{_print_region(region) if region else ''}"
        case Turns(turns):
            return f"{prefix}dialogue:({', '.join(map(_quote, turns))})"
        case Example(id):
            bare = _WORD.fullmatch(id) and not id.startswith('"')
            return f"{prefix}like:{id if bare else _quote(id)}"


def _print_region(region: Region) -> str:
    box = ",".join(map(_print_number, region.box))
    return f"@{box}" + (f",{_quote(region.label)}" if region.label else "")


def _print_number(number: float) -> str:
    return repr(float(number)).removesuffix(".0")


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
