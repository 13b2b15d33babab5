from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError, QueryError
from limner.core.query import And, Compare, In, IsNull, Like, Not, Or, Predicate
from limner.search.filter import MAX_CHARACTERS, MAX_COMPARISONS, MAX_NESTING, parse_filter, parse_group, print_filter

IS_A = Compare("a", "=", 1)

texts = st.text(max_size=12) | st.text("'\"`\\%_ an-d", max_size=8)
names = st.text(min_size=1, max_size=8) | st.sampled_from(["year", "and", "IN", "Null", "a.b-c", "größe", "1st", "`"])
values = texts | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
comparisons = st.one_of(
    st.builds(Compare, names, st.sampled_from(["=", "!=", "<", "<=", ">", ">="]), values),
    st.builds(In, names, st.lists(values, min_size=1, max_size=3).map(tuple)),
    st.builds(Like, names, texts),
    st.builds(IsNull, names),
)


def _branches(children: st.SearchStrategy[Predicate]) -> st.SearchStrategy[Predicate]:
    several = st.lists(children, min_size=2, max_size=3).map(tuple)
    return st.builds(Not, children) | st.builds(And, several) | st.builds(Or, several)


predicates: st.SearchStrategy[Predicate] = st.recursive(comparisons, _branches, max_leaves=8)


def _types(predicate: Predicate) -> str:
    """repr tells 1 from 1.0, which == does not."""
    return repr(predicate)


@given(predicates)
def test_parse_gives_back_what_print_was_given(predicate: Predicate) -> None:
    again = parse_filter(print_filter(predicate))
    assert again == predicate
    assert _types(again) == _types(predicate)


def tree_or_error(text: str) -> Predicate | QueryError:
    try:
        return parse_filter(text)
    except QueryError as error:
        return error


FRAGMENTS = ["a", "`b c`", "=", "!=", "<", "==", "1", "-2.5", "'x'", '"y"', "2019-05-01", "true", "(", ")", ","]
FRAGMENTS += ["and", "or", "not", "in", "like", "is", "null", "%", "'", "2019-99-01", "a = 1", "b in (1, 'x')"]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_text_parses_to_something_printable_or_gives_an_error_inside_it(text: str) -> None:
    result = tree_or_error(text)
    if isinstance(result, QueryError):
        assert 0 <= result.position <= len(text)
        assert "\n" not in result.message
    else:
        printed = print_filter(result)
        assert parse_filter(printed) == result
        assert print_filter(parse_filter(printed)) == printed


@pytest.mark.parametrize(
    ("text", "predicate"),
    [
        ("a = 1", IS_A),
        ("a == 1", IS_A),
        ("a=1", IS_A),
        (" \n a = 1\t", IS_A),
        ("a != -1.5e3", Compare("a", "!=", -1500.0)),
        ("a < .5", Compare("a", "<", 0.5)),
        ("a <= 'it''s'", Compare("a", "<=", "it's")),
        ('a > "say ""hi"""', Compare("a", ">", 'say "hi"')),
        ("taken >= 2019-05-01", Compare("taken", ">=", "2019-05-01")),
        ("taken < 2019-05-01T12:00", Compare("taken", "<", "2019-05-01T12:00")),
        ("taken < 2019-05-01T12:00:30.25", Compare("taken", "<", "2019-05-01T12:00:30.25")),
        ("a = TRUE and b = false", And((Compare("a", "=", 1), Compare("b", "=", 0)))),
        ("a In (1, 'x', 2.0)", In("a", (1, "x", 2.0))),
        ("a NOT IN (2019-05-01)", Not(In("a", ("2019-05-01",)))),
        ("a like '%.jpg'", Like("a", "%.jpg")),
        ("a not like 'x_'", Not(Like("a", "x_"))),
        ("a is null", IsNull("a")),
        ("a IS NOT NULL", Not(IsNull("a"))),
        ("not a = 1", Not(IS_A)),
        ("not not a = 1", Not(Not(IS_A))),
        ("`in` = 1", Compare("in", "=", 1)),
        ("`a ``b``` = 1", Compare("a `b`", "=", 1)),
        ("exif.f-number > 2", Compare("exif.f-number", ">", 2)),
        ("größe > 2", Compare("größe", ">", 2)),
        ("((a = 1))", IS_A),
        ("a = 1 or a = 1 and a = 1", Or((IS_A, And((IS_A, IS_A))))),
        ("(a = 1 or a = 1) and a = 1", And((Or((IS_A, IS_A)), IS_A))),
        ("not a = 1 and a = 1", And((Not(IS_A), IS_A))),
        ("a = 1 and (a = 1 and a = 1)", And((IS_A, And((IS_A, IS_A))))),
        ("a = 1 and a = 1 and a = 1", And((IS_A, IS_A, IS_A))),
    ],
)
def test_what_texts_mean(text: str, predicate: Predicate) -> None:
    assert _types(parse_filter(text)) == _types(predicate)


@pytest.mark.parametrize(
    ("predicate", "text"),
    [
        (Compare("taken", ">=", "2019-05-01"), "taken >= '2019-05-01'"),
        (Not(IsNull("a")), "a is not null"),
        (Not(And((IS_A, IS_A))), "not (a = 1 and a = 1)"),
        (Or((And((IS_A, IS_A)), Or((IS_A, IS_A)))), "a = 1 and a = 1 or (a = 1 or a = 1)"),
        (And((Or((IS_A, IS_A)), Not(IS_A))), "(a = 1 or a = 1) and not a = 1"),
        (Compare("a", "=", True), "a = 1"),
        (Compare("not", "=", 1.0), "`not` = 1.0"),
    ],
)
def test_the_canonical_text(predicate: Predicate, text: str) -> None:
    assert print_filter(predicate) == text


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ("", 0, "empty"),
        ("   ", 0, "empty"),
        ("year", 4, "after the field year, found the end"),
        ("year = ", 7, "found the end"),
        ("year => 5", 5, "=, !=,"),
        ("year = X100", 7, "'X100'"),
        ("year = null", 7, "is null"),
        ("year is 5", 8, "null or not null"),
        ("year = 20x9", 7, "20x9 is neither a number nor a date"),
        ("year = 2019-5-1", 7, "2019-05-01"),
        ("year = 2019-02-30", 7, "no 2019-02-30"),
        ("year = 9223372036854775808", 7, "64 bits"),
        ("year = " + "9" * 5000, 7, "64 bits"),
        ("year = 1e999", 7, "too large"),
        ("a in ()", 6, "found )"),
        ("a in (1 2)", 8, "comma"),
        ("a in 1", 5, "expected ("),
        ("a like 5", 7, "quoted pattern"),
        ("a not = 5", 6, "expected in or like"),
        ("a = 'x", 4, "never closed"),
        ("a = 1 and", 9, "field name"),
        ("a = 1 b = 2", 6, "found b"),
        ("(a = 1", 6, "expected )"),
        ("a = 1)", 5, "found )"),
        ("'a' = 1", 0, "backticks"),
        ("2a = 1", 0, "backticks"),
        ("`` = 1", 0, "empty"),
        ("in = 1", 0, "backticks"),
        ("a = 1; drop table items", 5, "unexpected character ;"),
        ("a = 1 -- x", 6, "unexpected character -"),
    ],
)
def test_errors_point_at_the_character(text: str, position: int, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_filter(text)
    assert caught.value.position == position
    assert words in caught.value.message


def test_nesting_is_bounded_long_before_recursion_is() -> None:
    for opening, closing in [("(", ")"), ("not ", ""), ("not (", ")"), ("a = 1 or a = 1 and (", ")")]:
        per_level = opening.count("(") + opening.count("not")
        deepest = MAX_NESTING // per_level
        predicate = parse_filter(opening * deepest + "a = 1" + closing * deepest)
        assert parse_filter(print_filter(predicate)) == predicate
        with pytest.raises(QueryError, match="inside one another") as caught:
            parse_filter(opening * 450 + "a = 1" + closing * 450)
        assert opening in caught.value.text[caught.value.position - len(opening) :]
    with pytest.raises(QueryError, match="inside one another"):
        parse_filter("(" * (MAX_CHARACTERS - 1))


def test_a_tree_beyond_what_text_can_say_is_not_printed() -> None:
    deep: Predicate = IS_A
    for _ in range(5000):
        deep = Not(deep)
    unprintable: list[Predicate] = [
        deep,
        In("a", ()),
        And((IS_A,)),
        Or(()),
        Compare("", "=", 1),
        Compare("a", "=", float("nan")),
        Compare("a", "<", float("inf")),
        Compare("a", "=", 2**63),
        Compare("a", "~", 1),  # type: ignore[arg-type]
        And((IS_A,) * (MAX_COMPARISONS + 1)),
        Compare("a", "=", "x" * MAX_CHARACTERS),
    ]
    for predicate in unprintable:
        with pytest.raises(InputError):
            print_filter(predicate)


def test_length_is_bounded() -> None:
    assert parse_filter("a = 1".ljust(MAX_CHARACTERS)) == IS_A
    with pytest.raises(QueryError, match="10001 characters"):
        parse_filter("a = 1".ljust(MAX_CHARACTERS + 1))
    most = " and ".join(["a = 1"] * MAX_COMPARISONS)
    assert parse_filter(most) == And((IS_A,) * MAX_COMPARISONS)
    with pytest.raises(QueryError, match="more than 250 comparisons"):
        parse_filter(most + " and a = 1")


def test_a_group_ends_at_its_parenthesis() -> None:
    text = 'xx(a = ")" and (a = 1)) \' @ rest'
    predicate, end = parse_group(text, 2)
    assert predicate == And((Compare("a", "=", ")"), IS_A))
    assert text[end:] == " ' @ rest"
    with pytest.raises(QueryError, match="expected \\(") as caught:
        parse_group("xx a = 1", 2)
    assert caught.value.position == 3
