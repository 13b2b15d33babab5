"""The passages of a text: what is asked for, and that nothing is lost."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.search.illustrate import LONGEST, passages

LONG = "a mayor who had been in office for eleven years and was not expected to run again"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog runs. It barks!  Why?", ["A dog runs.", "It barks!", "Why?"]),
        ("One line\nand its end.\n\nA title\n \nMore", ["One line and its end.", "A title", "More"]),
        ('"It is done!" she said. (So it was.) 3.5 m', ['"It is done!"', "she said.", "(So it was.)", "3.5 m"]),
        ("红色的圆。蓝色的圆！ 好", ["红色的圆。", "蓝色的圆！", "好"]),
        (f"{LONG}, cut the ribbon, smiled; we left", [f"{LONG}, cut the ribbon,", "smiled; we left"]),
        ("w " * (2 * LONGEST + 1), [("w " * LONGEST).strip()] * 2 + ["w"]),
        ("圆" * (LONGEST + 3), ["圆" * LONGEST, "圆" * 3]),
        ("... -- !?", []),
        ("", []),
    ],
)
def test_worked_by_hand(text: str, expected: list[str]) -> None:
    assert passages(text) == expected


PIECES = ["dog", "b", "圆", "3.5", ", ", "; ", ". ", "。", " ", "\n", "\n\n", "(", '"', "—"]


@given(st.lists(st.sampled_from(PIECES), max_size=80))
def test_every_word_is_in_one_passage_and_none_is_long(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = passages(text)
    words = re.compile(r"圆|[^\W圆]+")
    assert words.findall(" ".join(found)) == words.findall(text)
    assert all(1 <= len(words.findall(passage)) <= LONGEST for passage in found)
