"""Two languages over drawn scenes: who is described in what, and texts that search their translations."""

from __future__ import annotations

import numpy as np
import pytest
from train.fixed import fixed

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus, Text
from limner.train.corpora.bilingual import Bilingual
from limner.train.evaluations.translations import Translations
from limner.train.runs import Place


@pytest.fixture(scope="module")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Corpora:
    return Bilingual(scenes=40, tested=8).load(Place(tmp_path_factory.mktemp("runs")))


def languages(corpus: Corpus) -> list[tuple[str, ...]]:
    return [tuple(text.language for text in texts) for texts in corpus.texts]


def test_half_of_the_pictures_know_one_language_only(corpora: Corpora) -> None:
    counts = {kind: languages(corpora.train).count(kind) for kind in (("en", "zh"), ("en",), ("zh",))}
    assert counts == {("en", "zh"): 20, ("en",): 10, ("zh",): 10}
    for texts in corpora.train.texts:
        for text in texts:
            assert text.role == text.language
            assert text.text.isascii() == (text.language == "en")


def test_captions_of_the_training_are_no_translations(corpora: Corpora) -> None:
    """In two thirds of the scenes at least, one language says more than the other does of background or patterns."""
    said = [texts for texts in corpora.train.texts if len(texts) == 2]
    grounds = [("background" in one.text, "背景" in other.text) for one, other in said]
    assert any(one != other for one, other in grounds)
    parallel = [("background" in one.text, "背景" in other.text) for one, other in corpora.test.texts]
    assert all(one == other for one, other in parallel)


def test_pictures_that_are_asked_for_in_the_language_they_never_had(corpora: Corpora) -> None:
    for language in ("en", "zh"):
        unheard = corpora.split(f"without {language}")
        assert languages(unheard) == [(language,)] * 8
        known = {str(scene): kinds for scene, kinds in zip(corpora.train.truth, languages(corpora.train), strict=True)}
        assert all(language not in known[str(scene)] for scene in unheard.truth)


def texts(*pairs: tuple[str, str]) -> Corpora:
    rows = [[Text(one, "en", "en"), Text(other, "zh", "zh")] for one, other in pairs]
    corpus = Corpus("pairs", np.zeros((len(rows), 1, 3), np.float32), rows)
    return Corpora(corpus, corpus, corpus)


def test_translations_by_hand() -> None:
    said = {"one": [1.0, 0, 0], "two": [0, 1.0, 0], "yi": [1.0, 0, 0], "er": [0.9, 0.5, 0]}
    found = Translations()(fixed(texts(("one", "yi"), ("two", "er")), said))
    assert found["en to zh success@1"].values.tolist() == [1, 1]
    assert found["zh to en success@1"].values.tolist() == [1, 0]
    assert found["translation success@1 by chance"].mean == 0.5


def test_a_text_that_stands_twice_is_right_twice() -> None:
    said = {"one": [1.0, 0, 0], "uno": [1.0, 0, 0], "yi": [1.0, 0, 0]}
    found = Translations()(fixed(texts(("one", "yi"), ("uno", "yi")), said))
    assert found["en to zh success@1"].values.tolist() == [1, 1]
    assert found["zh to en success@1"].mean == 0.5  # two different English texts, one place at the top


def test_a_language_that_is_missing() -> None:
    corpora = texts(("one", "yi"))
    with pytest.raises(InputError, match="one text a picture in each of en, fr"):
        Translations(("en", "fr"))(fixed(corpora, {"one": [1.0, 0, 0], "yi": [1.0, 0, 0]}))
