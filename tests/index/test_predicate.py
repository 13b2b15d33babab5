"""The SQL of a predicate means what a plain reading of the predicate means."""

from __future__ import annotations

import operator
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.core.query import And, Compare, In, IsNull, Like, Not, Or, Predicate
from limner.core.types import FieldValue, Item
from limner.index.catalogue import Catalogue
from limner.index.predicate import compile_predicate, field_names
from limner.index.records import Entry

OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NAMES = ["year", "camera", "it's", "x'; DROP TABLE items; --", "Größe\n"]
INJECTIONS = ["' OR 1=1 --", "'; DELETE FROM items; --", '" OR ""="', "\\' OR 1", "%", "_", "?1", ":name"]


def holds(predicate: Predicate, item: Item) -> bool:
    """The definition of core/query.py, in Python."""
    match predicate:
        case And(operands):
            return all(holds(operand, item) for operand in operands)
        case Or(operands):
            return any(holds(operand, item) for operand in operands)
        case Not(operand):
            return not holds(operand, item)
    values = {**item.fields, "uri": item.uri, "id": item.id}
    value = values.get(predicate.field)
    match predicate:
        case IsNull():
            return value is None
        case _ if value is None:
            return False
        case Compare(_, sign, operand):
            return isinstance(value, str) == isinstance(operand, str) and OPERATORS[sign](value, operand)
        case In(_, operands):
            return value in operands
        case Like(_, pattern):
            return isinstance(value, str) and like(value, pattern)


def like(value: str, pattern: str) -> bool:
    parts = {"%": ".*", "_": "."}
    expression = "".join(parts.get(character, re.escape(character)) for character in pattern)
    return re.fullmatch(expression, value, re.DOTALL | re.IGNORECASE | re.ASCII) is not None


texts = st.one_of(
    st.sampled_from(["", "a", "B", "ab", "abc", "2019", "2019-05-01", "É", "é", *INJECTIONS]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4),
)
numbers = st.one_of(
    st.sampled_from([0, 1, 2019, -1, 2**53 + 1, 2**62, 2**70, 0.1, 1.0, 2019.0, -0.0, float("inf"), 1e-320]),
    st.integers(-3, 3),
    st.floats(allow_nan=False),
)
values: st.SearchStrategy[FieldValue] = st.one_of(texts, numbers)
fields = st.sampled_from(NAMES)
asked = st.one_of(fields, st.sampled_from(["uri", "id"]))
comparisons = st.builds(Compare, asked, st.sampled_from(sorted(OPERATORS)), values)
leaves = st.one_of(
    comparisons,
    st.builds(In, asked, st.lists(values, max_size=3).map(tuple)),
    st.builds(Like, asked, st.one_of(texts, st.sampled_from(["a%", "%b%", "_", "A_", "%\n%", "2019-__-__"]))),
    st.builds(IsNull, asked),
)
predicates = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Not, inner),
        st.builds(And, st.lists(inner, max_size=3).map(tuple)),
        st.builds(Or, st.lists(inner, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
collections = st.lists(st.dictionaries(fields, values, max_size=4), max_size=5)


@pytest.fixture(scope="module")
def shared() -> Iterator[Catalogue]:
    with tempfile.TemporaryDirectory() as folder:
        catalogue = Catalogue(Path(folder) / "catalogue.sqlite", create=True)
        yield catalogue
        catalogue.close()


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(collections=collections, predicate=predicates)
def test_sql_agrees_with_a_plain_reading(
    shared: Catalogue, collections: list[dict[str, FieldValue]], predicate: Predicate
) -> None:
    with shared.transaction() as connection:
        items = [Item(f"/{text}", id=text, fields=fields) for text, fields in zip("abcde", collections, strict=False)]
        everything = Item("/everything", id="everything", fields=dict.fromkeys(NAMES, "here"))
        keys = shared.put([Entry(item) for item in [*items, everything]]).tolist()
        found = shared.select(predicate).tolist()
        expected = [key for key, item in zip(keys, [*items, everything], strict=True) if holds(predicate, item)]
        assert found == sorted(expected)
        connection.execute("DELETE FROM items")


def test_field_names_leaves_out_what_every_item_has() -> None:
    predicate = And((Not(Compare("year", ">", 1)), Or((IsNull("camera"), Like("uri", "%"), In("id", ("a",))))))
    assert field_names(predicate) == {"year", "camera"}


def test_nothing_of_a_predicate_becomes_sql() -> None:
    predicate = And(tuple(Compare(name, "=", text) for name in NAMES for text in INJECTIONS))
    condition, parameters = compile_predicate(predicate)
    assert not any(name in condition for name in NAMES)
    assert not any(text in condition for text in INJECTIONS if len(text) > 2)
    assert condition.count("?") == len(parameters) == 2 * len(NAMES) * len(INJECTIONS)


@pytest.mark.parametrize("value", [2019, 2019.5, "2019", "\udcff"])
def test_a_range_is_answered_from_the_index(catalogue: Catalogue, value: FieldValue) -> None:
    condition, parameters = compile_predicate(Compare("year", ">=", value))
    with catalogue.reading() as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN SELECT key FROM items WHERE {condition}", parameters).fetchall()
    assert any("fields_by_value (name=? AND value>?)" in row[3] for row in plan), plan


def test_a_file_name_that_is_not_unicode_can_be_asked_for(catalogue: Catalogue) -> None:
    names = ["/a\udcff.jpg", "/a\udcfe.jpg"]
    keys = catalogue.put([Entry(Item(name, fields={"name": name})) for name in names]).tolist()
    for key, name in zip(keys, names, strict=True):
        for field in ("uri", "name"):
            assert catalogue.select(Compare(field, "=", name)).tolist() == [key]
            assert catalogue.select(In(field, (name, "/b"))).tolist() == [key]


def test_too_deep_and_too_long_filters_are_refused(catalogue: Catalogue) -> None:
    catalogue.put([Entry(Item("/a", fields={"year": 1}))])
    deep: Predicate = Compare("year", "=", 1)
    for _ in range(200):
        deep = Not(deep)
    with pytest.raises(InputError, match="nested"):
        catalogue.select(deep)
    with pytest.raises(InputError, match="too long"):
        catalogue.select(Or(tuple(Compare("year", "=", number) for number in range(5000))))
    with pytest.raises(InputError, match="too long"):
        catalogue.select(In("year", tuple(range(300_000))))
    with pytest.raises(InputError, match="too long"):
        catalogue.select(Like("uri", "%a" * 50_000))
    assert catalogue.select(In("year", tuple(range(20_000)))).tolist() == [1]


def test_an_unknown_field_is_named_with_the_known_ones_closest_first(catalogue: Catalogue) -> None:
    catalogue.put([Entry(Item("/a", fields={"year": 2019, "camera": "X100", "width": 3}))])
    with pytest.raises(InputError, match="no item has a field 'yaer'; there are: year, "):
        catalogue.select(Not(Compare("yaer", "=", 2019)))
    with pytest.raises(InputError, match="camera"):
        catalogue.select(IsNull("Camera"))
    catalogue.put([Entry(Item("/b", fields={f"field{number}": 1 for number in range(40)}))])
    with pytest.raises(InputError, match=r"and 33 more$"):
        catalogue.select(IsNull("nothing"))
