from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.types import Sparse
from limner.encode.words import K1, USUAL_LENGTH, WORDS, B, term_of, weigh_items, weigh_questions, words_of


def none_holds(terms: np.ndarray) -> tuple[np.ndarray, int]:
    return np.zeros(len(terms), np.int64), 10


def weights(made: Sparse, row: int = 0) -> dict[int, float]:
    own = slice(made.indptr[row], made.indptr[row + 1])
    return dict(zip(made.indices[own].tolist(), made.values[own].tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog on the GRASS", ["dog", "grass"]),
        ("two dogs, one bus; glass is this", ["two", "dog", "one", "bus", "glass"]),
        ("IMG_2034.jpg", ["img", "2034", "jpg"]),
        ("Der Hund spielt im Garten", ["hund", "spielt", "garten"]),
        ("Straße café ﬁn", ["strasse", "café", "fin"]),
        ("红色的圆", ["红", "色", "的", "圆", "红色", "色的", "的圆"]),
        ("a红b", ["红", "b"]),
        ("", []),
        ("... -- !?", []),
    ],
)
def test_words_worked_by_hand(text: str, expected: list[str]) -> None:
    assert words_of(text) == expected


def test_weights_of_an_item_worked_by_hand() -> None:
    made = weigh_items([("a dog and a dog", "one cat"), ()])
    length = 1 - B + B * 4 / USUAL_LENGTH
    assert weights(made) == pytest.approx(
        {
            term_of("dog"): 2 * (K1 + 1) / (2 + K1 * length),
            term_of("one"): (K1 + 1) / (1 + K1 * length),
            term_of("cat"): (K1 + 1) / (1 + K1 * length),
        },
        rel=1e-6,
    )
    assert len(made) == 2
    assert weights(made, 1) == {}
    assert made.vocabulary_size == WORDS.size


def test_rare_words_of_a_question_weigh_more() -> None:
    def frequency(terms: np.ndarray) -> tuple[np.ndarray, int]:
        return np.where(terms == term_of("dog"), 90, 1), 100

    made = weights(weigh_questions(["a dog with a frisbee"], frequency))
    assert made[term_of("frisbee")] / made[term_of("dog")] == pytest.approx(
        np.log1p(99.5 / 1.5) / np.log1p(10.5 / 90.5), rel=1e-5
    )


@given(st.lists(st.text(max_size=40), max_size=4))
def test_shares_of_any_question_add_up_to_one(texts: list[str]) -> None:
    made = weigh_questions(texts, none_holds)
    assert len(made) == len(texts)
    for row, text in enumerate(texts):
        assert sum(weights(made, row).values()) == pytest.approx(1 if words_of(text) else 0, abs=1e-5)


@given(st.text(max_size=60))
def test_an_item_holds_the_words_of_its_own_text(text: str) -> None:
    item, question = weights(weigh_items([(text,)])), weights(weigh_questions([text], none_holds))
    assert item.keys() == question.keys()
    assert all(0 < weight < K1 + 1 for weight in item.values())
