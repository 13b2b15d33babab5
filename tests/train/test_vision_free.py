"""Pictures found by what was written about them: the texts, the training, the measures."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from objectives.features import ROLES, make_features
from train.fixed import fixed

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import scene_at
from limner.data.world.describer import Describer
from limner.encode.tokenizer import train_tokenizer
from limner.train.corpora.described import DescribedScenes, DescribedTexts, WithoutPictures, questions, written
from limner.train.corpora.predicted_words import PredictedWords, frequent_words, presence
from limner.train.evaluations.by_description import ByDescription
from limner.train.evaluations.long_questions import LongQuestions
from limner.train.evaluations.modality_gap import ModalityGap, gap
from limner.train.evaluations.retrieval import Retrieval
from limner.train.evaluations.word_search import WordSearch, bm25, by_rank
from limner.train.modifiers.documents import Documents
from limner.train.runs import Place

SCENES = [scene_at(9, index) for index in range(60)]
SAID = {"red": [1.0, 0.0], "blue": [0.0, 1.0], "a red thing": [0.9, 0.1], "a blue thing": [0.2, 0.8]}


def found_by(images: np.ndarray) -> Corpora:
    texts = [
        [Text("red"), Text("red", "long"), Text("a red thing", "both"), Text("blue", "honest")],
        [Text("blue"), Text("blue", "long"), Text("a blue thing", "both"), Text("red", "honest")],
    ]
    corpus = Corpus("described", images, texts)
    return Corpora(corpus, corpus, corpus)


def test_a_description_stands_for_its_picture():
    misleading = np.array([[[0.0, 1.0]], [[1.0, 0.0]]])
    trained = fixed(found_by(misleading), SAID)
    name = "text-to-image recall@1"
    evaluation = Retrieval(roles=("caption",))
    assert evaluation(trained)[name].mean == 0
    assert ByDescription(evaluation)(trained)[name].mean == 1
    assert ByDescription(evaluation, "honest")(trained)[name].mean == 0
    with pytest.raises(InputError, match="'prose'"):
        ByDescription(evaluation, "prose")(trained)


def test_nothing_is_found_otherwise_when_the_pictures_are_gone():
    """Privacy: neither pixels nor vectors of pictures are there, and every result is the same, query by query."""
    measures = (Retrieval(roles=("caption",)), ModalityGap(), LongQuestions())
    drawn = np.random.default_rng(0).normal(size=(2, 1, 2))
    with_pictures = fixed(found_by(drawn), SAID)
    without = fixed(found_by(np.full((2, 1, 2), np.nan)), SAID)
    for measure in (*map(ByDescription, measures), WordSearch()):
        kept, gone = measure(with_pictures), measure(without)
        assert kept.keys() == gone.keys()
        assert all(np.array_equal(kept[name].values, gone[name].values) for name in kept)


def test_documents_take_the_place_of_pictures():
    features = make_features(4)
    changed = Documents(ROLES[1]).features(None, None, features)
    rows = features.roles[ROLES[1]]
    assert torch.equal(changed.image.vectors, features.text.vectors[rows])
    assert torch.equal(changed.image.group, features.image.group)
    assert len(changed.text.group) == len(changed.owner) == len(changed.ids) == 8
    assert changed.roles.keys() == {ROLES[0], ROLES[2]}
    for role, members in changed.roles.items():
        assert torch.equal(changed.text.vectors[members], features.text.vectors[features.roles[role]])
        assert torch.equal(changed.owner[members], features.owner[features.roles[role]])


def test_a_picture_without_a_document_is_refused():
    features = make_features(4)
    for rows in (torch.arange(3), torch.tensor([0, 1, 2, 2])):
        with pytest.raises(InputError, match="exactly one text of the role 'document'"):
            Documents().features(None, None, features.replace(roles={"document": rows}))


UP = np.array([0.0, 3.0])


def test_the_gap_by_hand():
    cloud = np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert gap(cloud, cloud + UP) == pytest.approx(3.0)
    assert gap(cloud, 2 * cloud + UP) == pytest.approx(3.0 / np.sqrt(2.5))


def test_bm25_by_hand():
    scores = bm25(["a red circle", "a blue circle circle", "a star"], ["red red circle", "green"])
    idf = {word: np.log1p((3 - df + 0.5) / (df + 0.5)) for word, df in {"red": 1, "circle": 2}.items()}

    def weight(word: str, tf: int, length: int) -> float:
        return idf[word] * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / 3))

    assert scores[0] == pytest.approx([weight("red", 1, 3) + weight("circle", 1, 3), weight("circle", 2, 4), 0])
    assert scores[1] == pytest.approx([0, 0, 0])


def test_ranks_share_their_places():
    assert by_rank(np.array([[3.0, 1.0, 2.0, 2.0]]))[0] == pytest.approx([1 / 61, 1 / 64, 1 / 62.5, 1 / 62.5])


def test_word_search_and_both_together():
    texts = [[Text("red"), Text("a red thing", "both")], [Text("blue"), Text("a blue thing", "both")]]
    corpus = Corpus("words", np.zeros((2, 1, 2)), texts)
    found = WordSearch()(fixed(Corpora(corpus, corpus, corpus), SAID))
    assert found["words: recall@1"].values.tolist() == found["hybrid: recall@1"].values.tolist() == [1, 1]


def test_questions_are_true_and_their_swaps_false():
    asked = {"pair": 0, "order": 0}
    for index, scene in enumerate(SCENES):
        by_role = {text.role: text.text for text in questions(scene, Random(index))}
        assert {"attribute", "scene"} <= by_role.keys()
        for role in asked:
            if role in by_role:
                right, wrong = by_role[role], by_role[f"{role} swapped"]
                assert right != wrong
                assert (
                    sorted(right.replace("an ", "a ").split()) == sorted(wrong.replace("an ", "a ").split())
                    or "," in right
                )
                asked[role] += 1
    assert min(asked.values()) > 20


def test_what_a_scene_is_given():
    (training,), (test,) = (DescribedTexts().write(SCENES[:1], 0, 0, train=train) for train in (True, False))
    assert [text.role for text in training] == ["caption"] * 5 + ["again"] + ["document"] * 3
    prose, listed, both = (next(t.text for t in test if t.role == role) for role in ("prose", "listing", "both"))
    assert both == f"{prose} {listed}"
    assert [text.text for text in training[6:]] == [prose, listed, both]
    captions = {text.text for text in test if text.role not in ("prose", "listing", "both")}
    assert not captions & {prose, listed, both}


def test_the_splits_differ_in_their_describer_only(tmp_path: Path):
    corpora = DescribedScenes(scenes=4, tested=20).load(Place(tmp_path))
    blind = WithoutPictures(DescribedScenes(scenes=4, tested=20)).load(Place(tmp_path))
    assert not any(corpus.images.any() for corpus in (blind.train, blind.test, blind.split("weak")))
    lengths = []
    for name in ("recall 0.5", "recall 0.9"):
        split = corpora.split(name)
        assert split.truth == corpora.test.truth
        for some, others in zip(split.texts, corpora.test.texts, strict=True):
            assert [t for t in some if t.role == "caption"] == [t for t in others if t.role == "caption"]
        lengths.append(sum(len(t.text) for some in split.texts for t in some if t.role == "listing"))
    assert lengths[0] < lengths[1]
    inventing = corpora.split("inventing")
    invented = [(row, t.text) for row, some in enumerate(inventing.texts) for t in some if t.role == "invented"]
    assert invented
    for row, text in invented:
        *_, colour, shape = text.split()
        things = inventing.truth[row].objects
        assert not any(thing.colour == colour and thing.shape == shape for thing in things)


def test_no_description_is_cut(tmp_path: Path):
    data = DescribedScenes(scenes=200, tested=50)
    corpora = data.load(Place(tmp_path))
    texts = [
        text.text
        for corpus in (corpora.train, corpora.test, corpora.split("weak"))
        for some in corpus.texts
        for text in some
    ]
    tokenizer = train_tokenizer([t.text for some in corpora.train.texts for t in some], data.vocabulary, data.context)
    longest = max(len(tokenizer.encode(text)) for text in texts)  # raises where a text is longer than the context
    assert 80 < longest <= data.context


def test_an_inventing_describer_writes_more():
    honest, inventing = (
        [written(describer, scene, Random(row)) for row, scene in enumerate(SCENES)]
        for describer in (Describer(), Describer(invented=1.0))
    )
    more = [len(a[1].text) < len(b[1].text) for a, b in zip(honest, inventing, strict=True)]
    assert np.mean(more) > 0.9


@dataclasses.dataclass(frozen=True)
class Photographs:
    """Channel 0 is bright where the captions tell of a dog, channel 1 where they tell of a boat."""

    vocabulary: int = 300
    context: int = 32

    def load(self, place: object) -> Corpora:
        rng = np.random.default_rng(0)
        parts = []
        for count in (60, 10, 10):
            maps, shows = rng.normal(0, 0.1, (count, 4, 3)), rng.integers(0, 2, count)
            maps[np.arange(count), 0, shows] += 2
            texts = [[Text(f"a {('dog', 'boat')[one]} on the grass")] for one in shows]
            parts.append(Corpus("photographs", maps.astype(np.float16), texts))
        return Corpora(*parts)


def test_words_are_predicted_from_the_picture_and_not_from_its_captions():
    data = PredictedWords(Photographs(), words=3, told=1)
    corpora = data.load(Place(Path()))
    for corpus, role in ((corpora.train, "document"), (corpora.validation, "both"), (corpora.test, "both")):
        told = [text.text for some in corpus.texts for text in some if text.role == role]
        right = [some[0].text.split()[1] for some in corpus.texts]
        assert told == right
    assert frequent_words(corpora.test.with_roles("caption"), 9)[0] == "grass"
    assert presence(corpora.test, ["grass"]).shape == (10, 1)
