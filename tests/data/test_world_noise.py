"""Noise in captions: the rates are kept, and what is said about each is so."""

from __future__ import annotations

from collections import Counter
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import InputError
from limner.data.world import Noise, add_noise, describe, mismatch, scene_at
from limner.data.world.languages import LANGUAGES

SCENES = [scene_at(5, index) for index in range(100)]
CAPTIONS = [describe(scene, Random(index), "full") for index, scene in enumerate(SCENES)]
ALL = Noise(mismatched=0.3, vague=0.1, missing=0.1, wrong=0.2, distracted=0.1)


@given(st.integers(0, 400), st.floats(0, 1), st.integers(0, 10**6))
def test_mismatched_rows_exchange_their_texts(n: int, rate: float, seed: int) -> None:
    sources = mismatch(n, rate, seed)
    assert sorted(sources) == list(range(n))
    moved = int((sources != np.arange(n)).sum())
    wanted = round(rate * n)
    assert moved == (wanted if wanted != 1 else 2 * (n > 1))
    assert (mismatch(n, rate, seed) == sources).all()


def test_other_seeds_mismatch_others() -> None:
    assert (mismatch(100, 0.4, 0) != mismatch(100, 0.4, 1)).any()
    with pytest.raises(InputError, match="from 0 to 1"):
        mismatch(10, 1.2, 0)


def test_each_trouble_has_its_share_and_is_what_it_says() -> None:
    noisy = add_noise(CAPTIONS, SCENES, ALL, seed=3)
    assert Counter(row.trouble for row in noisy)["mismatched"] == 30
    shares = Counter(row.trouble for row in noisy)
    assert (shares["vague"], shares["wrong"], shares["distracted"]) == (10, 20, 10)
    assert shares["missing"] + shares[None] == 30
    for row, (heard, scene) in enumerate(zip(noisy, SCENES, strict=True)):
        text, clean = heard.caption.text, CAPTIONS[row]
        assert heard.clean is clean
        assert (heard.source != row) == (heard.trouble == "mismatched")
        match heard.trouble:
            case None:
                assert heard.caption is clean
            case "mismatched":
                assert text == CAPTIONS[heard.source].text
            case "vague":
                assert text in LANGUAGES["en"].vague
                assert heard.caption.facts == heard.caption.objects == ()
            case "missing":
                assert heard.caption.truth(scene) is True
                assert text != clean.text
                assert len(heard.caption.facts) <= len(clean.facts)
            case "wrong":
                assert heard.caption.truth(scene) is False
            case "distracted":
                words = iter(text.split())
                assert all(word in words for word in clean.text.split()), "the caption is still in it, in order"
                assert len(text.split()) > len(clean.text.split())
                assert heard.caption.facts == clean.facts


def test_noise_depends_on_the_seed_only() -> None:
    assert add_noise(CAPTIONS, SCENES, ALL, seed=3) == add_noise(CAPTIONS, SCENES, ALL, seed=3)
    assert add_noise(CAPTIONS, SCENES, ALL, seed=3) != add_noise(CAPTIONS, SCENES, ALL, seed=4)
    assert all(row.trouble is None for row in add_noise(CAPTIONS, SCENES, Noise(), seed=3))
    assert all(row.trouble is not None for row in add_noise(CAPTIONS, SCENES, Noise(mismatched=0.5, vague=0.5), seed=3))


@pytest.mark.parametrize("code", LANGUAGES)
def test_noise_speaks_the_language_of_the_caption(code: str) -> None:
    captions = [describe(scene, Random(index), "long", code) for index, scene in enumerate(SCENES[:40])]
    for heard in add_noise(captions, SCENES[:40], Noise(vague=0.3, missing=0.3, wrong=0.4), seed=0):
        assert heard.caption.language == code
        if heard.trouble == "missing":
            assert len(heard.caption.facts) == len(heard.clean.facts) // 2
        if heard.trouble == "wrong":
            assert heard.caption.text != heard.clean.text


def test_impossible_noise_is_refused() -> None:
    for rates in ({"vague": -0.1}, {"vague": 0.6, "wrong": 0.6}):
        with pytest.raises(InputError, match="sum to 1 at most"):
            Noise(**rates)
    with pytest.raises(InputError, match="one caption a scene"):
        add_noise(CAPTIONS, SCENES[:3], Noise(), 0)
