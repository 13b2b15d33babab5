from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import BundleError, InputError
from limner.encode.tokenizer import BOS, EOS, PAD, Tokenizer, train_tokenizer

TEXTS = ["a brown dog runs on the beach", "two dogs play with a red ball", "a girl reads a book"]


@pytest.fixture(scope="module")
def long() -> Tokenizer:
    """A tokenizer whose context is long enough for whatever hypothesis writes."""
    return train_tokenizer(TEXTS, 300, 10_000)


def tidy(text: str) -> str:
    return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip().lower()


def test_words_learnt_are_few_tokens(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("dog")
    assert ids[0] == BOS
    assert ids[-1] == EOS
    assert len(ids) == 3
    assert tokenizer.encode("a dog")[-2:] == ids[-2:], "a word is the same token wherever it stands"


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(lambda text: bool(tidy(text))))
def test_every_text_comes_back_tidied(long: Tokenizer, text: str) -> None:
    # lower() of Python knows a final sigma and what else depends on the letters around; ours does not.
    words = "".join(letter for letter in text if letter not in "Σ\x1c\x1d\x1e\x1f")
    if tidy(words):
        ids = long.encode(words)
        assert long.decode(ids) == tidy(words)
        assert PAD not in ids


def test_case_spacing_and_composition_do_not_matter(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("  A  Dog\n") == tokenizer.encode("a dog")
    assert tokenizer.encode("cafe\u0301") == tokenizer.encode("caf\u00e9")


def test_special_tokens_cannot_be_written(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(tokenizer.to_json())
    for each in (tokenizer, Tokenizer.load(tmp_path / "tokenizer.json", tokenizer.context_length)):
        for text in ("a [PAD]", "[EOS] a", "[BOS]"):
            ids = each.encode(text)
            assert [ids.count(special) for special in (PAD, BOS, EOS)] == [0, 1, 1]


def test_a_text_is_never_cut(tokenizer: Tokenizer) -> None:
    fits = "dog " * (tokenizer.context_length - 2)
    assert len(tokenizer.encode(fits)) == tokenizer.context_length
    with pytest.raises(InputError, match=r"13 tokens and the model reads 12 at most: .* about 39 of its 43 characters"):
        tokenizer.encode(fits + "dog")


@pytest.mark.parametrize("text", ["", "  ", "\n\t"])
def test_an_empty_text_is_refused(tokenizer: Tokenizer, text: str) -> None:
    with pytest.raises(InputError, match="empty"):
        tokenizer.encode(text)


def test_broken_unicode_is_refused(tokenizer: Tokenizer) -> None:
    with pytest.raises(InputError, match="not valid Unicode"):
        tokenizer.encode("dog \udc80")


def test_a_tokenizer_is_loaded_as_it_was_saved(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(tokenizer.to_json())
    loaded = Tokenizer.load(tmp_path / "tokenizer.json", tokenizer.context_length)
    assert loaded.encode("a dog reads") == tokenizer.encode("a dog reads")
    assert loaded.vocabulary_size == tokenizer.vocabulary_size == 300


def test_cutting_and_padding_of_a_foreign_tokenizer_are_switched_off(tokenizer: Tokenizer, tmp_path: Path) -> None:
    foreign = tokenizers.Tokenizer.from_str(tokenizer.to_json().decode())
    foreign.enable_truncation(4)
    foreign.enable_padding(length=8)
    foreign.save(str(tmp_path / "tokenizer.json"))
    loaded = Tokenizer.load(tmp_path / "tokenizer.json", 12)
    assert loaded.encode("dog") == tokenizer.encode("dog")
    with pytest.raises(InputError, match="13 tokens"):
        loaded.encode("dog " * 11)


@pytest.mark.parametrize("content", [b"", b"{", b'{"a": 1}', b"\xff"])
def test_a_broken_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"tokenizer\.json is not a readable tokenizer"):
        Tokenizer.load(tmp_path / "tokenizer.json", 12)


def test_training_is_repeatable() -> None:
    assert train_tokenizer(TEXTS, 280, 12).to_json() == train_tokenizer(TEXTS, 280, 12).to_json()


def test_a_vocabulary_must_hold_every_byte() -> None:
    with pytest.raises(InputError, match="needs 259 at least"):
        train_tokenizer(TEXTS, 258, 12)


class TestCharacters:
    """Text that is written without spaces."""

    TEXTS = ("图中有一个红色圆形，背景是蓝色的", "一颗星星和一个红色方块", "a red circle, and a star")

    def test_each_chinese_character_is_a_token_of_its_own(self) -> None:
        tokenizer = train_tokenizer(self.TEXTS * 20, 700, 64, characters=True)
        assert tokenizer.pieces(self.TEXTS[1]) == list(self.TEXTS[1])
        assert tokenizer.pieces("a red circle") == ["a", "red", "circle"]
        assert tokenizer.pieces("red圆") == ["red", "圆"]
        pieces = train_tokenizer(self.TEXTS * 20, 700, 64).pieces(self.TEXTS[1])
        assert max(map(len, pieces)) > 1

    def test_spaces_and_widths_do_not_matter(self) -> None:
        tokenizer = train_tokenizer(self.TEXTS * 20, 700, 64, characters=True)
        written = tokenizer.encode(self.TEXTS[0])
        spaced, narrow = "图中有 一个 红色圆形, 背景是 蓝色的", "图中有一个红色圆形,背景是蓝色的"
        for typed in (spaced, narrow, " 图 中有一个红色圆形 ，背景是蓝色的  "):
            assert tokenizer.encode(typed) == written
        assert tokenizer.encode("ｒｅｄ ７") == tokenizer.encode("red 7")

    def test_the_first_word_is_the_same_token_as_inside(self) -> None:
        tokenizer = train_tokenizer(self.TEXTS * 20, 700, 64, characters=True)
        assert tokenizer.encode("red")[1:-1] == tokenizer.encode("a red")[2:-1]
