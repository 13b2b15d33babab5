from __future__ import annotations

import pytest

from limner.core.query import Compare, Example, Query, Term, Text
from limner.search.feedback import rocchio


def test_rocchio_worked_by_hand() -> None:
    where = Compare("year", ">", 2000)
    query = Query((Term(Text("red")), Term(Text("blue"), -2.0)), where)
    moved = rocchio(query, ["a", "b"], ["c"], alpha=2, beta=1, gamma=0.5)
    assert moved == Query(
        (
            Term(Text("red"), 2.0),
            Term(Text("blue"), -4.0),
            Term(Example("a"), 0.5),
            Term(Example("b"), 0.5),
            Term(Example("c"), -0.5),
        ),
        where,
    )


def test_without_examples_nothing_changes() -> None:
    query = Query((Term(Text("red"), 0.5),))
    assert rocchio(query, []) == query
    assert [term.weight for term in rocchio(query, ["a"]).terms] == pytest.approx([0.5, 0.75])
