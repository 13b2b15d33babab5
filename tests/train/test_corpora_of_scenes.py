"""Corpora of drawn scenes: their texts, concepts and troubles are what they say they are."""

from random import Random

import numpy as np
import pytest
import torch

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus
from limner.data.samplers import Shuffled, TextChoice
from limner.data.world import caption_rng, describe, label_ids, label_names, scene_at
from limner.data.world.languages import LANGUAGES
from limner.data.world.leaves import CONCEPTS, leaf_label, symptoms
from limner.encode.tokenizer import train_tokenizer
from limner.objectives.contrast import contrast
from limner.objectives.targets import share
from limner.train.batches import Batches, Sampling
from limner.train.corpora.labelled import TEMPLATES, LabelledScenes
from limner.train.corpora.leaves import Leaves, unheard
from limner.train.corpora.noisy import TROUBLES, NoisyScenes
from limner.train.corpora.parallel import Parallel
from limner.train.runs import Place

SCENES = [scene_at(0, index) for index in range(40)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def labelled(place: Place) -> Corpora:
    return LabelledScenes(labelled=30, captioned=10, tested=12).load(place)


@pytest.fixture(scope="module")
def leaves(place: Place) -> Corpora:
    return Leaves(each=2, tested=1).load(place)


@pytest.fixture(scope="module")
def noisy(place: Place) -> Corpora:
    return NoisyScenes(scenes=40, tested=5).load(place)


class TestParallel:
    def test_only_training_texts_of_some_languages_err(self):
        texts = Parallel(rate=0.2)
        heard, clean = (texts.write(SCENES, 0, 0, train=train) for train in (True, False))
        wrong = np.array(
            [[a.text != b.text for a, b in zip(*rows, strict=True)] for rows in zip(heard, clean, strict=True)]
        )
        assert wrong.sum(0).tolist() == [0, 0, 8, 8]
        assert (wrong[:, 2] != wrong[:, 3]).any()
        assert all([text.role for text in row] == list(texts.languages) for row in heard)

    def test_all_languages_say_the_same(self):
        texts = Parallel().write(SCENES, 0, 0, train=False)
        for row, scene in enumerate(SCENES):
            assert texts[row][0].text == describe(scene, caption_rng(0, row), "full").text

    def test_languages_that_are_missing_cost_nothing(self):
        """1-to-K on batches in which some pictures lack a language is the loss on the texts that there are."""
        rows = Parallel().write(SCENES[:6], 0, 0, train=False)
        rows = [row[: 2 + number % 3] for number, row in enumerate(rows)]
        corpus = Corpus("parallel", np.zeros((6, 4, 3), np.float16), rows)
        tokenizer = train_tokenizer([text.text for row in rows for text in row], 500, 96)
        batch = Batches(corpus, tokenizer, Sampling(Shuffled(6), TextChoice(0)), seed=0)(0)
        assert len(batch.ids) == sum(map(len, rows))
        logits = torch.randn(6, len(batch.ids), generator=torch.Generator().manual_seed(0))
        right = batch.image_group[:, None] == batch.text_group[None, :]
        expected = -torch.stack(
            [logits[row].log_softmax(0)[batch.owner == row].mean() for row in range(6)]
        ).mean()  # each picture: the mean over the languages that it has
        torch.testing.assert_close(contrast(logits, share(right)), expected)


class TestLabelled:
    def test_texts_of_one_label_share_a_concept(self, labelled: Corpora):
        labelled = labelled.train.take(np.arange(30))
        for texts, concept, scene in zip(labelled.texts, labelled.concepts, labelled.truth, strict=True):
            assert concept in label_ids(scene)
            name = label_names()[concept]
            assert len({text.text for text in texts}) == len(TEMPLATES)
            assert all(name in text.text and text.role == "label" for text in texts)

    def test_captions_have_a_concept_each(self, labelled: Corpora):
        concepts = labelled.train.concepts[30:]
        texts = [texts[0] for texts in labelled.train.texts[30:]]
        assert all(text.role == "caption" for text in texts)
        assert (concepts >= len(label_names())).all()
        assert len(set(concepts.tolist())) == len({text.text for text in texts})

    def test_one_label_is_right_for_each_labelled_test_picture(self, labelled: Corpora):
        labels = labelled.more["labels"]
        assert [label_ids(scene) for scene in labels.truth] == [[concept] for concept in labels.concepts]

    def test_test_scenes_are_new_and_captioned(self, labelled: Corpora):
        assert all(text.role == "caption" for texts in labelled.test.texts for text in texts)
        assert not set(labelled.train.truth) & {*labelled.test.truth, *labelled.validation.truth}


class TestLeaves:
    def test_combinations_are_held_out_and_their_parts_are_known(self, leaves: Corpora):
        known, new = set(leaves.train.concepts.tolist()), set(leaves.more["new"].concepts.tolist())
        assert known | new == set(range(CONCEPTS))
        assert len(new) == 12
        assert not known & new
        assert {concept // 10 for concept in known} == set(range(6))
        assert {concept % 10 for concept in known} == set(range(10))

    def test_no_words_of_the_test_were_read_before_nor_name_the_class(self, leaves: Corpora):
        said = {text.text for texts in leaves.train.texts for text in texts}
        for corpus in (leaves.test, leaves.more["new"]):
            for (signs, label), leaf in zip(corpus.texts, corpus.truth, strict=True):
                assert (signs.role, label.role) == ("long", "label")
                assert signs.text not in said
                assert leaf.species.name not in signs.text
                assert label.text == leaf_label(leaf)

    def test_signs_are_worded_until_the_words_are_new(self, leaves: Corpora):
        leaf = leaves.test.truth[0]
        first = unheard(leaf, Random(0), ())
        assert unheard(leaf, Random(0), {"something else"}) == first
        assert unheard(leaf, Random(0), {first}) != first
        every = {symptoms(leaf, Random(number)) for number in range(20_000)}
        with pytest.raises(InputError, match="fewer leaves of each class"):
            unheard(leaf, Random(0), every)

    def test_permuted_concepts_leave_everything_else(self, leaves: Corpora, place: Place):
        permuted = Leaves(each=2, tested=1, permuted=True).load(place)
        assert np.array_equal(permuted.train.images, leaves.train.images)
        assert permuted.train.texts == leaves.train.texts
        assert np.mean(permuted.train.concepts == leaves.train.concepts) < 0.2
        assert sorted(permuted.train.concepts) == sorted(leaves.train.concepts)
        assert np.array_equal(permuted.test.concepts, leaves.test.concepts)


class TestNoisy:
    def test_troubles_are_what_they_are_called(self, noisy: Corpora):
        clean = [describe(scene, caption_rng(0, row), "full").text for row, scene in enumerate(SCENES)]
        raw = [texts[0].text for texts in noisy.train.texts]
        trouble = np.array(TROUBLES)[noisy.train.targets["trouble"]]
        assert {name: int((trouble == name).sum()) for name in ("", "mismatched", "vague")} == {
            "": 16, "mismatched": 16, "vague": 8,
        }  # fmt: skip
        for row, name in enumerate(trouble):
            assert (raw[row] == clean[row]) == (name == ""), row
            assert (raw[row] in clean) == (name != "vague"), row
            assert (raw[row] in LANGUAGES["en"].vague) == (name == "vague"), row

    def test_a_captioner_errs_at_the_given_rate(self, noisy: Corpora, place: Place):
        sure = NoisyScenes(scenes=40, tested=5, mistakes=0.0).load(place)
        said, right = ([texts[1].text for texts in one.train.texts] for one in (noisy, sure))
        assert sum(a != b for a, b in zip(said, right, strict=True)) == 6
        assert all(texts[1].role == "synthetic" for texts in noisy.train.texts)

    def test_what_is_tested_is_clean(self, noisy: Corpora):
        for row, texts in enumerate(noisy.test.texts, 45):
            assert [text.text for text in texts] == [describe(scene_at(0, row), caption_rng(0, row), "full").text]
