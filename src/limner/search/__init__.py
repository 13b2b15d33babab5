"""Questions and answers: the query and filter languages, and the engine that finds, fuses and calibrates.

query.py       text <-> Query tree
filter.py      text <-> Predicate tree
engine.py      Query tree -> Hits
compose.py     weighted terms -> one direction
fuse.py        several rankings -> one
explain.py     words of a question -> places of a picture
feedback.py    a question and what was found right -> a better question
cover.py       many needs -> a few items that serve them together
illustrate.py  a text of many sentences -> a few pictures
"""

from limner.search.engine import Engine, Ledger
from limner.search.filter import parse_filter, print_filter
from limner.search.query import parse_query, print_query

__all__ = ["Engine", "Ledger", "parse_filter", "parse_query", "print_filter", "print_query"]
