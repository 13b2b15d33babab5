"""What is said about drawn scenes is true of them, and its roles, parts and cuts are what they claim."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from limner.data.corpus import Corpus
from limner.data.world import Scene, scene_at
from limner.data.world.languages.english import English
from limner.data.world.worlds import ATTRIBUTES
from limner.train.corpora.descriptions import Descriptions, TwinScenes
from limner.train.corpora.shared_captions import SharedCaptions
from limner.train.corpora.wordings import Wordings
from limner.train.evaluations.twins import first_difference
from limner.train.runs import Place

SCENES = [scene_at(5, number) for number in range(60)]


def by_role(texts, role):
    return [text for text in texts if text.role == role]


def test_sentences_are_the_description_taken_apart():
    for texts in Descriptions(sentences=6).write(SCENES, 0, 5, train=True):
        (whole,) = by_role(texts, "long")
        rest = whole.text
        for sentence in texts[2:]:
            assert sentence.role in ("sentence", "backdrop")
            assert rest.startswith(sentence.text)
            rest = rest[len(sentence.text) :].lstrip()
        assert rest == ""


def test_a_sentence_about_one_object_names_its_colour_or_shape():
    told = 0
    for scene, texts in zip(SCENES, Descriptions().write(SCENES, 0, 5, train=True), strict=True):
        for text in texts:
            if text.part >= 0:
                assert text.role == "sentence"
                thing = scene.objects[text.part]
                names = English.lexicon[thing.colour] + English.lexicon[thing.shape]
                assert any(name in text.text for name in names)
                told += 1
        assert all(text.part == -1 for text in by_role(texts, "backdrop"))
    assert told > len(SCENES)


def test_cutting_changes_the_long_text_only():
    whole, short, none = (Descriptions(words=words).write(SCENES, 0, 5, train=True) for words in (1000, 9, 0))
    for one, two, three in zip(whole, short, none, strict=True):
        assert by_role(two, "long")[0].text == " ".join(by_role(one, "long")[0].text.split()[:9])
        assert by_role(three, "long") == []
        for role in ("short", "sentence", "backdrop"):
            assert by_role(one, role) == by_role(two, role) == by_role(three, role)


def differences(scene: Scene, other: Scene) -> list[str]:
    assert (scene.background, scene.word) == (other.background, other.word)
    return [
        name
        for one, two in zip(scene.objects, other.objects, strict=True)
        for name in ATTRIBUTES
        if getattr(one, name) != getattr(two, name)
    ]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    settings = TwinScenes(Descriptions(words=12), scenes=8, tested=4, twins=30)
    corpora = settings.load(Place(tmp_path_factory.mktemp("runs")))
    assert [len(corpora.split(name)) for name in ("train", "validation", "test")] == [8, 4, 4]
    return corpora.split("twins")


def test_twins_differ_in_one_fact_and_one_sentence(twins: Corpus):
    assert len(twins) == 60
    places = []
    for row in range(0, 60, 2):
        assert len(differences(twins.truth[row], twins.truth[row + 1])) == 1
        one, two = (by_role(twins.texts[row + side], "uncut")[0].text for side in (0, 1))
        assert sum(first != second for first, second in zip(one.split(". "), two.split(". "), strict=True)) == 1
        assert by_role(twins.texts[row], "long")[0].text == " ".join(one.split()[:12])
        places.append(first_difference(one, two))
    assert min(places) < 20 <= max(places)
    assert not np.array_equal(twins.images[0], twins.images[1])


def test_shared_captions_are_true_of_every_scene_of_the_group(tmp_path: Path):
    corpora = SharedCaptions(scenes=6, groups=3, each=4, tested=8).load(Place(tmp_path))
    train = corpora.train
    texts = [texts[0].text for texts in train.texts]
    assert len(train) == 6 + 3 * 4
    assert len(set(texts[:6])) == 6
    assert [len(set(texts[start : start + 4])) for start in (6, 10, 14)] == [1, 1, 1]
    for start in (6, 10, 14):
        kinds = [
            sorted((thing.colour, thing.shape) for thing in scene.objects) for scene in train.truth[start : start + 4]
        ]
        assert all(one == kinds[0] for one in kinds)
        assert len({scene.objects[0].centre for scene in train.truth[start : start + 4]}) == 4
    assert all(len(scene.objects) >= 2 for scene in train.truth)
    assert len(corpora.split("duplicates")) == 8
    seen = {text for some in (train, corpora.validation) for texts in some.texts for text in texts}
    assert not seen & {text for texts in corpora.split("duplicates").texts for text in texts}


def test_small_things_are_for_tests_only():
    for scene, texts in zip(SCENES, Wordings().write(SCENES, 0, 5, train=False), strict=True):
        small = by_role(texts, "small")
        assert bool(small) == any(thing.size == "small" for thing in scene.objects)
        assert all(scene.objects[text.part].size == "small" for text in small)
    for texts in Wordings().write(SCENES, 0, 5, train=True):
        assert {text.role for text in texts} == {"caption"}


def test_mismatched_pictures_have_the_captions_of_others():
    clean, noisy = (Wordings(mismatched=share).write(SCENES, 0, 5, train=True) for share in (0.0, 0.3))
    assert sum(one != two for one, two in zip(clean, noisy, strict=True)) == 18
    assert sorted(map(str, clean)) == sorted(map(str, noisy))
    assert Wordings(mismatched=0.3).write(SCENES, 0, 5, train=False) == Wordings().write(SCENES, 0, 5, train=False)
