"""Places, spread and gap over kinds of text, by vectors chosen by hand."""

import numpy as np
import pytest
from train.fixed import fixed

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus, Text
from limner.train.evaluations.rank_spread import RankSpread

PICTURES = np.eye(3, dtype=np.float32)[:, None, :]
SAID = {
    "one": (3, 2, 1), "two": (1, 3, 2), "three": (2, 1, 3),
    "eins": (3, 2, 1), "zwei": (3, 1, 2), "drei": (2, 1, 3),
}  # fmt: skip
"""All English texts are nearest to their own picture; "zwei" finds its picture last."""


def corpora(*texts: list[Text]) -> Corpora:
    corpus = Corpus("three", PICTURES, texts)
    return Corpora(corpus, corpus, corpus)


def pair(english: str, german: str) -> list[Text]:
    return [Text(english, "en"), Text(german, "de")]


ALL = corpora(pair("one", "eins"), pair("two", "zwei"), pair("three", "drei"))


def test_from_texts_to_pictures():
    outcome = RankSpread(("en", "de"))(fixed(ALL, SAID))
    assert list(outcome["text-to-image rank spread"].values) == [0, 1, 0]  # places 1 and 3 of the second
    assert list(outcome["text-to-image recall@1, mean of roles"].values) == [1, 0.5, 1]
    assert outcome["text-to-image recall@1, en"].mean == 1
    assert outcome["text-to-image recall@1, de"].mean == pytest.approx(2 / 3)
    assert outcome["text-to-image recall@1, best less worst role"].mean == pytest.approx(1 / 3)


def test_pictures_search_each_kind_of_text_by_itself():
    outcome = RankSpread(("en", "de"))(fixed(ALL, SAID))
    # The second picture's own English text is first; of the German ones, "eins" and then, of equals, one comes first.
    spread = outcome["image-to-text rank spread"].values
    assert spread[0] <= 0.5
    assert spread[1] in (0.5, 1)
    assert outcome["image-to-text recall@1, en"].mean == 1


def test_a_poor_model_that_is_equally_poor_has_no_spread():
    wrong = dict(zip(SAID, [SAID["two"], SAID["three"], SAID["one"]] * 2, strict=True))
    outcome = RankSpread(("en", "de"))(fixed(ALL, wrong))
    assert outcome["text-to-image rank spread"].mean == 0
    assert outcome["text-to-image recall@1, mean of roles"].mean == 0


def test_a_picture_without_a_text_of_a_role_is_refused():
    missing = corpora(pair("one", "eins"), [Text("two", "en")], pair("three", "drei"))
    with pytest.raises(InputError, match="exactly one text of role 'de'"):
        RankSpread(("en", "de"))(fixed(missing, SAID))
