"""Samplers: no picture twice in a batch, every picture once an epoch, the same at any step whatever came before."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.samplers import ByConcept, HardNegatives, Shares, Shuffled, TextChoice


def corpus(count: int, **more: object) -> Corpus:
    rng = np.random.default_rng(0)
    return Corpus(
        "some",
        np.zeros((count, 2)),
        [[Text(f"{row} {place}", ("short", "long")[place % 2]) for place in range(4)] for row in range(count)],
        rng.integers(5, size=count),
        **more,
    )


@given(count=st.integers(2, 60), size=st.integers(1, 80), seed=st.integers(0, 5))
@settings(max_examples=40)
def test_shuffled_sees_every_picture_once_an_epoch(count: int, size: int, seed: int):
    rows = Shuffled(size).bind(corpus(count), seed)
    steps = count // min(size, count)
    seen = np.concatenate([rows(step) for step in range(steps)])
    assert len(set(seen.tolist())) == len(seen) == steps * min(size, count)
    assert rows(0).tolist() == Shuffled(size).bind(corpus(count), seed)(0).tolist()


@given(step=st.integers(0, 50))
def test_shares_keep_their_parts(step: int):
    rows = Shares(20, (30, 60), (0.25, 0.75)).bind(corpus(90), 0)(step)
    assert (rows < 30).sum() == 5
    assert (rows >= 30).sum() == 15
    assert len(set(rows.tolist())) == 20


def test_shares_must_fit_the_corpus():
    with pytest.raises(InputError, match="90"):
        Shares(20, (30, 50), (1, 1)).bind(corpus(90), 0)


@given(step=st.integers(0, 50))
def test_by_concept(step: int):
    some = corpus(50)
    rows = ByConcept(3, 4).bind(some, 0)(step)
    found = some.concepts[rows]
    assert len(set(rows.tolist())) == len(rows)
    assert len(set(found.tolist())) == 3
    assert np.bincount(found).max() <= 4


def test_hard_negatives_bring_the_neighbours():
    near = (np.arange(40)[:, None] + [1, 2]) % 40
    rows = HardNegatives(12, 3).bind(corpus(40, targets={"neighbours": near}), 0)(0)
    assert len(set(rows.tolist())) == len(rows)
    present = set(rows.tolist())
    assert sum({(row + 1) % 40, (row + 2) % 40} <= present for row in present) >= 4


@given(seed=st.integers(0, 30), count=st.integers(0, 5))
def test_text_choice(seed: int, count: int):
    some, rng = corpus(3), np.random.default_rng(seed)
    places = TextChoice(count).pick(some, 1, rng)
    assert len(set(places)) == len(places) == (min(count, 4) if count else 4)
    by_role = TextChoice(1, ("long", "short")).pick(some, 1, rng)
    assert [some.texts[1][place].role for place in by_role] == ["long", "short"]


def test_a_corpus_whose_parts_do_not_fit_is_an_error():
    with pytest.raises(InputError, match="2 texts for 3 images"):
        Corpus("wrong", np.zeros((3, 1)), [[], []])


def test_an_unknown_split_names_those_there_are():
    some = corpus(2)
    with pytest.raises(InputError, match="twins"):
        Corpora(some, some, some, {"twins": some}).split("nothing")


def test_take_keeps_rows_together():
    some = corpus(6, targets={"labels": np.arange(6)}, truth=list("abcdef"))
    taken = some.take([4, 1])
    assert [texts[0].text for texts in taken.texts] == ["4 0", "1 0"]
    assert taken.targets["labels"].tolist() == [4, 1]
    assert list(taken.truth) == ["e", "b"]
    assert taken.with_roles("long").texts[0][0].role == "long"
