"""Each rule on a table small enough to check by eye."""

from __future__ import annotations

import numpy as np
import pytest

from limner.core.errors import InputError
from limner.core.types import Item
from limner.curate.rules import (
    PICTURE_RULES,
    TEXT_RULES,
    CommonWords,
    FewTexts,
    LargeEnough,
    Length,
    NotRepeated,
    NotStretched,
    Pairs,
    Rule,
    Rules,
)


def of_texts(*texts: str) -> Pairs:
    return Pairs(texts, np.arange(len(texts)))


def of_sides(*sides: tuple[int, int]) -> Pairs:
    return Pairs(["a picture of something"] * len(sides), np.arange(len(sides)), np.array(sides))


@pytest.mark.parametrize(
    ("rule", "pairs", "kept"),
    [
        (LargeEnough(200), of_sides((200, 900), (199, 900), (900, 199), (200, 200)), [1, 0, 0, 1]),
        (NotStretched(3), of_sides((300, 100), (301, 100), (100, 300), (100, 301)), [1, 0, 1, 0]),
        (FewTexts(2), Pairs(["a", "b", "c", "d"], np.array([7, 7, 7, 4])), [0, 0, 0, 1]),
        (FewTexts(2), Pairs(["a", "b", "c"], np.array([7, 7, 4])), [1, 1, 1]),
        (Length(3, 5), of_texts("one two", "one two three", "1 2 3 4 5", "1 2 3 4 5 6", ""), [0, 1, 1, 0, 0]),
        (CommonWords(2), of_texts("a red dog", "a red dog", "a red cat"), [1, 1, 0]),  # "cat" and "red cat" once
        (CommonWords(2), of_texts("red dog", "dog red", "red dog"), [1, 0, 1]),  # each word is common, "dog red" is not
        (CommonWords(2), of_texts("A Dog", "a dog"), [1, 1]),
    ],
    ids=repr,
)
def test_a_rule_on_a_table(rule: Rule, pairs: Pairs, kept: list[int]) -> None:
    assert rule(pairs).tolist() == [bool(one) for one in kept]


@pytest.mark.parametrize(("pictures", "stays"), [(10, True), (11, False)])
def test_a_caption_of_ten_pictures_stays_and_one_of_eleven_goes(pictures: int, stays: bool) -> None:
    texts = ["untitled image here"] * pictures + ["a dog in the park"]
    kept = NotRepeated(10)(of_texts(*texts))
    assert kept.tolist() == [stays] * pictures + [True]


def test_a_text_given_twice_to_one_picture_counts_once() -> None:
    assert NotRepeated(1)(Pairs(["same words", "same words"], np.array([3, 3]))).all()


def test_frequencies_are_those_of_the_whole_table_so_order_does_not_matter() -> None:
    texts = ["no words", *["a red dog runs"] * 4, "a red dog runs far", "no words at all"]
    rules = (NotRepeated(3), CommonWords(2), Length(3, 20))
    table = of_texts(*texts)
    kept, report = Rules(rules).judge(table)
    turned, _ = Rules(rules[::-1]).judge(table)
    assert kept.tolist() == turned.tolist() == np.logical_and.reduce([rule(table) for rule in rules]).tolist()
    assert report.pairs == len(texts)
    assert report.kept == kept.sum() == len(texts) - sum(report.dropped.values())
    assert "dropped by NotRepeated(most=3)" in report.text()


def test_no_rules_keep_all_and_an_empty_table_stays_empty() -> None:
    assert Rules(())(["x"], np.array([0])).tolist() == [True]
    assert Rules().filter([]) == ([], Rules().judge(of_texts())[1])


def test_items_lose_texts_and_go_when_none_is_left() -> None:
    items = [
        Item("a.jpg", texts=("a dog in the park", "dog"), fields={"width": 400, "height": 300}),
        Item("b.jpg", texts=("cat",), fields={"width": 400, "height": 300}),
        Item("c.jpg", texts=("a dog in the park",), fields={"width": 400, "height": 100}),
        Item("d.jpg", fields={"width": 400, "height": 300}),
    ]
    kept, report = Rules((Length(), *PICTURE_RULES)).filter(items)
    assert [(item.uri, item.texts) for item in kept] == [("a.jpg", ("a dog in the park",))]
    assert (report.pairs, report.kept) == (4, 1)
    assert report.dropped[repr(LargeEnough())] == 1


def test_sizes_that_nobody_knows() -> None:
    with pytest.raises(InputError, match="sides in pixels"):
        Rules(PICTURE_RULES).filter([Item("a.jpg", texts=("a dog in the park",))])
    with pytest.raises(InputError, match="2 pictures for 1 texts"):
        Pairs(["one"], np.arange(2))


def test_the_rules_of_the_paper() -> None:
    assert TEXT_RULES[0] == NotRepeated(10)
    assert TEXT_RULES[2] == Length(3, 20)
    assert (LargeEnough(200), NotStretched(3.0), FewTexts(1000)) == PICTURE_RULES
