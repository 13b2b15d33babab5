from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError, QueryError
from limner.core.query import And, Compare, Content, IsNull, Not, Picture, Query, Term, Text, Turns
from limner.core.types import Region
from limner.search.query import MAX_CHARACTERS, MAX_TERMS, check_query, parse_query, print_query, print_term

SIGNS = ["-", "--", "2:", "0.5:", "2:3", '"', "\\", '\\"', "image:", "where:", "dialogue:", "@0,0,1,1", "@1,", " ", "a"]

words = (
    st.text(min_size=1, max_size=12) | st.lists(st.sampled_from(SIGNS), min_size=1, max_size=4).map("".join)
).filter(str.strip)
edges = st.tuples(*[st.floats(0, 1)] * 4).filter(lambda box: box[0] < box[2] and box[1] < box[3])
regions = st.builds(Region, edges, st.text(max_size=5))
contents = st.one_of(
    st.builds(Text, words),
    st.builds(Picture, words, st.none() | regions),
    st.builds(Turns, st.lists(words, min_size=1, max_size=3).map(tuple)),
)
filters = st.builds(Compare, words, st.just("="), words) | st.builds(Not, st.builds(IsNull, words))
weights = st.sampled_from([1.0, -1.0, 2.0, -0.5]) | st.floats(0.001, 1000) | st.floats(-1000, -0.001)
queries = st.builds(
    Query, st.lists(st.builds(Term, contents, weights), min_size=1, max_size=4).map(tuple), st.none() | filters
)


@given(queries)
def test_parse_gives_back_what_print_was_given(query: Query) -> None:
    assert parse_query(print_query(query)) == query


def tree_or_error(text: str) -> Query | QueryError:
    try:
        return parse_query(text)
    except QueryError as error:
        return error


@given(
    st.text(max_size=30) | st.lists(st.sampled_from([*SIGNS, "(a = 1)", "cat.jpg", '"x y"']), max_size=8).map("".join)
)
def test_any_text_parses_to_something_printable_or_gives_an_error_inside_it(text: str) -> None:
    result = tree_or_error(text)
    if isinstance(result, QueryError):
        assert 0 <= result.position <= len(text)
        assert "\n" not in result.message
    else:
        printed = print_query(result)
        assert parse_query(printed) == result
        assert print_query(parse_query(printed)) == printed


def text(words: str, weight: float = 1.0) -> Term:
    return Term(Text(words), weight)


@pytest.mark.parametrize(
    ("written", "terms"),
    [
        ("a brown dog running", [text("a brown dog running")]),
        ("  a\tbrown \n dog\u3000running ", [text("a brown dog running")]),
        ('"red car"', [text("red car")]),
        ('dog "red car" on a beach', [text("dog"), text("red car"), text("on a beach")]),
        ("red car -person", [text("red car"), text("person", -1)]),
        ("red -blue car", [text("red"), text("blue", -1), text("car")]),
        ('-"red car"', [text("red car", -1)]),
        ("-person", [text("person", -1)]),
        ("2:dog", [text("dog", 2)]),
        ("2.50:dog .5:cat", [text("dog", 2.5), text("cat", 0.5)]),
        ('0.5:"red car"', [text("red car", 0.5)]),
        ("-0.5:person", [text("person", -0.5)]),
        ('2:"30"', [text("30", 2)]),
        ("a t-shirt, black-and-white", [text("a t-shirt, black-and-white")]),
        ("clock at 10:30", [text("clock at 10:30")]),
        ("3:2 picture in 16:9", [text("3:2 picture in 16:9")]),
        ("2:3:dog", [text("2:3:dog")]),
        ("-10:30", [text("10:30", -1)]),
        ("time:now http://x :-)", [text("time:now http://x :-)")]),
        ('24" screen', [text('24" screen')]),
        ("it's (a) dog\\", [text("it's (a) dog\\")]),
        ('"-5" "2:" "image:"', [text("-5"), text("2:"), text("image:")]),
        (r'"say \"hi\" \\ C:\new"', [text(r'say "hi" \ C:\new')]),
        ("猫 в сапогах 🐈", [text("猫 в сапогах 🐈")]),
        ("image:cat.jpg", [Term(Picture("cat.jpg"))]),
        ('-2:image:"my pictures/a b.jpg"', [Term(Picture("my pictures/a b.jpg"), -2)]),
        (r"image:C:\pictures\new.jpg", [Term(Picture(r"C:\pictures\new.jpg"))]),
        ("image:me@home.jpg", [Term(Picture("me@home.jpg"))]),
        ("image:a.tar::b.jpg", [Term(Picture("a.tar::b.jpg"))]),
        ("image:cat.jpg@0.1,0.2,0.6,0.9", [Term(Picture("cat.jpg", Region((0.1, 0.2, 0.6, 0.9))))]),
        ('image:"a b"@0,0,1,.5,"left ear"', [Term(Picture("a b", Region((0, 0, 1, 0.5), "left ear")))]),
        ('image:"a@0,0,1,1"', [Term(Picture("a@0,0,1,1"))]),
        ('2:dialogue:( "a dog","on a beach" )', [Term(Turns(("a dog", "on a beach")), 2)]),
    ],
)
def test_what_texts_mean(written: str, terms: list[Term]) -> None:
    assert parse_query(written) == Query(tuple(terms))


def test_a_filter_inside_a_query() -> None:
    year = Compare("year", ">=", 2019)
    assert parse_query("where:(year >= 2019)") == Query((), year)
    assert parse_query('where:"year >= 2019"') == Query((), year)
    assert parse_query("red where:(year >= 2019) car") == Query((text("red"), text("car")), year)
    assert parse_query('where:(year >= 2019 and (name is not null)) -"a b"') == Query(
        (text("a b", -1),), And((year, Not(IsNull("name"))))
    )
    assert parse_query("where:(name = ')\"') dog").where == Compare("name", "=", ')"')
    assert parse_query(r'where:"name = \"\\\""').where == Compare("name", "=", "\\")


@pytest.mark.parametrize(
    ("query", "written"),
    [
        (Query((text("a b"), text("c"))), 'a b "c"'),
        (Query((text("a"), text("b"), text("c"), text("d", -1), text("e"))), 'a "b" c -d e'),
        (Query((text("a", 2.0), text("b", -0.5), text("c d", -1))), '2:a -0.5:b -"c d"'),
        (Query((text("5", -1), text("5", 2))), '-5 2:"5"'),
        (Query((text("-a"), text(" a"), text("10:30"))), '"-a" " a" 10:30'),
        (Query((Term(Picture("a b", Region((0, 0, 0.25, 1)))),)), 'image:"a b"@0,0,0.25,1'),
        (Query((text("dog"),), Compare("year", "<", 3)), "dog where:(year < 3)"),
    ],
)
def test_the_canonical_text(query: Query, written: str) -> None:
    assert print_query(query) == written


@pytest.mark.parametrize(
    ("written", "position", "words"),
    [
        ("", 0, "empty"),
        (" \n ", 0, "empty"),
        ("dog - cat", 4, "right before its word"),
        ("--dog", 1, "one minus"),
        ("2:-dog", 2, "stands first"),
        ("2: dog", 0, "right before its word"),
        ("dog -2:", 5, "right before its word"),
        ("0:dog", 0, "from 0.001 to 1000"),
        ("-0.0:dog", 1, "from 0.001 to 1000"),
        ("1001:dog", 0, "from 0.001 to 1000"),
        ("9" * 400 + ":dog", 0, "from 0.001 to 1000"),
        ("2:.5:dog", 2, "one weight"),
        ('dog "red car', 4, "never closed"),
        (r'"red car\"', 0, "never closed"),
        ('"red"car', 5, "space is needed"),
        ('dog "" cat', 4, "nothing between"),
        ('-" "', 1, "nothing between"),
        ("image: cat.jpg", 6, "path of a picture"),
        ('image:""', 6, "nothing between"),
        ("image:a.jpg@0.1,0.2", 11, "four numbers"),
        ("image:a.jpg@0.5,0,0.1,1", 12, "left < right"),
        ("image:a.jpg@0,0,1,1x", 19, "space is needed"),
        ("image:a.jpg@0,0,1,1,x", 20, "expected a quote"),
        ("dialogue:dog", 9, "expected ("),
        ("dialogue:()", 10, "expected a quote"),
        ('dialogue:("a" "b")', 14, "comma or )"),
        ("where:year", 6, "in parentheses"),
        ("where:(year)", 11, "after the field year"),
        ("where:(year = 1", 15, "found the end"),
        (r'dog where:"name = \"a\" or year"', 31, "after the field year"),
        (r'dog where:"name = \"a\" or 5"', 27, "field name"),
        ("where:(a = 1) where:(b = 2)", 14, "second where"),
        ("-where:(a = 1)", 1, "where:(not ...)"),
        ("where:(a = 1)b", 13, "space is needed"),
    ],
)
def test_errors_point_at_the_character(written: str, position: int, words: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_query(written)
    assert caught.value.position == position
    assert words in caught.value.message


def test_length_and_number_of_terms_are_bounded() -> None:
    assert parse_query("dog".ljust(MAX_CHARACTERS)) == Query((text("dog"),))
    with pytest.raises(QueryError, match="10001 characters; at most 10000"):
        parse_query("x" * (MAX_CHARACTERS + 1))
    most = "-a " * MAX_TERMS
    assert len(parse_query(most + "where:(a = 1)").terms) == MAX_TERMS
    with pytest.raises(QueryError, match="more than 100 terms") as caught:
        parse_query(most + "-b")
    assert caught.value.position == len(most)


@pytest.mark.parametrize(
    "term",
    [
        *(text("dog", weight) for weight in [0.0, 0.0001, 1001, float("nan"), float("inf"), -float("inf")]),
        *map(Term, [Text(""), Text(" \n"), Picture(" "), Turns(()), Turns(("a", ""))]),
    ],
)
def test_terms_that_ask_nothing_are_refused(term: Term) -> None:
    for function in (check_query, print_query):
        with pytest.raises(InputError):
            function(Query((term,)))


def test_trees_that_cannot_be_written() -> None:
    masked = Query((Term(Picture("a", Region((0, 0, 1, 1), mask=np.ones((2, 2), np.bool_)))),))
    check_query(masked)
    with pytest.raises(InputError, match="mask"):
        print_query(masked)
    assert print_term(masked.terms[0]) == "image:a@0,0,1,1"
    with pytest.raises(InputError, match="empty"):
        print_query(Query())
    with pytest.raises(InputError, match="101 terms"):
        print_query(Query((text("a"),) * 101))
    with pytest.raises(InputError, match="characters"):
        print_query(Query((text("x" * MAX_CHARACTERS), text("y"))))


def test_an_error_shows_where_also_in_a_long_query() -> None:
    with pytest.raises(QueryError) as caught:
        parse_query("dog " * 1000 + "- cat " + "dog " * 1000)
    _, shown, caret = str(caught.value).split("\n")
    assert shown[caret.index("^")] == "-"
    assert len(shown) < 120


@pytest.mark.parametrize("content", [Text("a b"), Picture("x"), Turns(("a",))])
def test_a_term_is_named_the_way_it_is_written(content: Content) -> None:
    term = Term(content, -2.5)
    assert parse_query(print_term(term)) == Query((term,))
