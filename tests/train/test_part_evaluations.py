"""Evaluations of parts and likeness, on cases whose answer is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from limner.core.errors import InputError
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import scene_at
from limner.encode.tokenizer import train_tokenizer
from limner.eval.metrics.ndcg import ndcg
from limner.nn.towers.map_transformer import MapTower
from limner.nn.towers.text_transformer import TextTower
from limner.nn.two_towers import Towers
from limner.objectives.masked_words import MaskedWords
from limner.train.evaluations.footprint import Footprint
from limner.train.evaluations.matched_words import MatchedWords, objects_with
from limner.train.evaluations.place_probe import PlaceProbe, ridge_classes
from limner.train.evaluations.pointing import Pointing, half_of_most, object_places, pointing
from limner.train.evaluations.scene_search import SceneSearch, graded_search
from limner.train.evaluations.twins import TwinsByPosition, chosen_right, first_difference
from limner.train.trained import Trained

SCENES = [scene_at(3, number) for number in range(24)]
SHAPES = SCENES[0].world.shapes
PLACES = 36


def corpus(*, blind: bool = False) -> Corpus:
    """Each place of a map holds the shape that is there, or noise alone; one text about the first object."""
    rng = np.random.default_rng(0)
    maps = rng.normal(0, 0.1, (len(SCENES), PLACES, len(SHAPES) + 2)).astype(np.float16)
    texts = []
    for row, scene in enumerate(SCENES):
        for thing in scene.objects if not blind else ():
            where = object_places(Corpus("one", maps[:1], [()], truth=[scene]), PLACES)[0][scene.objects.index(thing)]
            maps[row, where, SHAPES.index(thing.shape)] += 3
        first = scene.objects[0]
        texts.append([Text(f"a {first.colour} {first.shape}", "sentence", part=0), Text("some shapes", "short")])
    return Corpus("placed", maps, texts, truth=SCENES)


def trained(made: Corpus, **more: Corpus) -> Trained:
    """A model before its first step."""
    texts = [text.text for texts in made.texts for text in texts]
    tokenizer = train_tokenizer(texts, 400, 24)
    torch.manual_seed(0)
    towers = Towers(MapTower(32, dropout=0.0), TextTower(16, 2, 2), dimension=24)
    model = towers.build(made.images.shape[1:], tokenizer.vocabulary_size, 24).eval()
    nothing = torch.nn.ModuleDict()
    return Trained(model, nothing, nothing, tokenizer, Corpora(made, made, made, more), 0, Path())


def test_pointing_by_hand():
    weights = np.array([[0.5, 0.3, 0.2, 0.0], [0.1, 0.6, 0.3, 0.0]])
    truth = np.array([[True, True, False, False], [False, False, True, True]])
    found = pointing(weights, truth)
    assert found["pointing accuracy"].tolist() == [1, 0]
    assert found["pointing by chance"].tolist() == [0.5, 0.5]
    assert found["pointing IoU"] == pytest.approx([1.0, 1 / 3])


def test_half_of_most_leaves_zeros_out():
    assert half_of_most(np.array([[0.0, 0.0], [0.2, 0.4]])).tolist() == [[False, False], [True, True]]


def test_objects_lie_where_they_are_drawn():
    made = corpus()
    for scene, covered in zip(SCENES, object_places(made, PLACES), strict=True):
        for thing, places in zip(scene.objects, covered, strict=True):
            rows, columns = np.divmod(np.flatnonzero(places), 6)
            left, top, right, bottom = thing.box
            assert len(rows) >= 1
            assert left * 6 - 1 < columns.min() <= columns.max() < right * 6
            assert top * 6 - 1 < rows.min() <= rows.max() < bottom * 6


class Oracle(torch.nn.Module):
    """A text encoder that knows which direction a shape has."""

    def __init__(self, model: Trained, directions: torch.Tensor) -> None:
        super().__init__()
        self.inner, self.directions = model.model.text, directions
        self.words = [model.tokenizer.decode([number]) for number in range(model.tokenizer.vocabulary_size)]

    def read(self, ids: torch.Tensor):
        reading = self.inner.read(ids)
        shapes = [next((SHAPES.index(w) for i in row if (w := self.words[i]) in SHAPES), 0) for row in ids.tolist()]
        return reading._replace(vectors=self.directions[shapes])


def test_pointing_finds_the_objects_of_a_model_that_knows_them():
    """The places of one shape have one vector; a text of that vector points there."""
    made = corpus()
    model = trained(made)
    with torch.no_grad():
        pure = torch.zeros(len(SHAPES), PLACES, len(SHAPES) + 2)
        pure[torch.arange(len(SHAPES)), :, torch.arange(len(SHAPES))] = 3
        states = model.model.image.read(pure).states[:, 0]
        directions = model.model.image.project_states(states[:, None])[:, 0]
    before = Pointing()(model)
    model.model.text = Oracle(model, directions)
    after = Pointing()(model)
    alone = np.mean([sum(t.shape == s.objects[0].shape for t in s.objects) == 1 for s in SCENES])
    assert alone > 0.7
    assert after["pointing accuracy"].mean >= 0.8 > before["pointing accuracy"].mean
    assert before["pointing by chance"].mean == after["pointing by chance"].mean < 0.3
    strange = made.replace(truth=[*SCENES[1:], SCENES[0]])
    model = dataclasses.replace(model, corpora=Corpora(strange, strange, strange))
    assert Pointing()(model)["pointing accuracy"].mean < 0.5


def test_a_probe_reads_what_is_there_and_nothing_else():
    name = "place probe accuracy, shape"
    assert PlaceProbe()(trained(corpus()))[name].mean > 0.95
    made, other = corpus(blind=True), corpus(blind=True)
    other = other.replace(images=np.ascontiguousarray(other.images[::-1]))
    model = trained(made)
    model = dataclasses.replace(model, corpora=Corpora(made, made, other))
    assert PlaceProbe()(model)[name].mean < 0.4


def test_ridge_classes_by_hand():
    seen, labels = np.array([[0.0], [1.0], [10.0], [11.0]]), np.array(["b", "b", "a", "a"])
    assert ridge_classes(seen, labels, np.array([[0.5], [10.5]]), 1e-3).tolist() == [1, 0]


def test_twins_by_hand():
    scores = np.zeros((4, 4))
    scores[0, 0], scores[1, 0] = 0.9, 0.1  # text 0 is right
    scores[1, 1], scores[0, 1] = 0.2, 0.4  # text 1 is wrong
    scores[2, 2], scores[3, 2] = 0.3, 0.3  # text 2 cannot tell
    scores[3, 3], scores[0, 3] = 0.3, 9.0  # text 3 is right: only its twin is asked about
    assert chosen_right(scores).tolist() == [1, 0, 0.5, 1]


def test_first_difference_by_hand():
    assert first_difference("a red star", "a blue star") == 1
    assert first_difference("a red", "a red star") == 2


def twin_corpus(read: str) -> Corpus:
    """Maps that differ in one shape; `read`: the text, of the word that differs."""
    made = corpus()
    words = ["circle", "square"] * (len(made) // 2)
    texts = [[Text(read.format(word), "long"), Text(f"there is a {word}", "uncut")] for word in words]
    return made.replace(texts=texts)


def test_twins_that_read_the_same_are_at_chance():
    for read, decided in (("there is a", False), ("there is a {}", True)):
        twins = twin_corpus(read)
        outcome = TwinsByPosition(edges=(0, 2, 3))(trained(corpus(), twins=twins))
        assert set(outcome) == {"twins, fact from word 3: recall@1", "twins recall@1"}
        values = outcome["twins recall@1"].values
        by_pair = values.reshape(-1, 2).sum(1)
        assert (by_pair == 1).all() != decided or set(values) <= {0.0, 0.5, 1.0}
        if not decided:  # one text of a pair prefers its own, the other the same picture
            assert values.mean() == 0.5


def test_graded_search_by_hand():
    grades = np.array([[1, 0.8, 0.1], [0.8, 1, 0.3], [0.1, 0.3, 1]], np.float32)
    perfect = graded_search(grades, grades, 2)
    assert perfect == pytest.approx([1, 1, 1])
    backwards = graded_search(-grades, grades, 2)
    assert backwards == pytest.approx(
        ndcg(np.array([[2.0, 1], [2, 1], [2, 1]]), np.array([[0.8, 0.1], [0.8, 0.3], [0.3, 0.1]]), 2)
    )


def test_scene_search_finds_the_same_scene_first():
    made = corpus()
    twice = made.take(np.repeat(np.arange(len(made)), 2))
    name = "image-to-image nDCG@1 by scene graph"
    assert SceneSearch(k=1)(trained(twice))[name].values == pytest.approx(np.ones(len(twice)))
    astray = twice.replace(truth=[*twice.truth[1:], twice.truth[0]])
    assert SceneSearch(k=1)(trained(astray))[name].mean < 0.9
    with pytest.raises(InputError, match="needs drawn scenes"):
        SceneSearch()(trained(corpus().replace(truth=())))


def test_words_name_objects():
    scene = SCENES[0]
    thing = scene.objects[0]
    assert 0 in objects_with(thing.shape, scene)
    assert 0 in objects_with(f"{thing.colour}s", scene)
    assert objects_with("a", scene) == objects_with("", scene) == []


def test_matched_words_of_a_model_that_knows_nothing_are_at_chance():
    outcome = MatchedWords()(trained(corpus(blind=True)))
    by_chance = outcome["matched words on their object by chance"]
    assert len(by_chance.values) == 2 * len(SCENES)  # colour and shape of each text, nothing of "some shapes"
    assert abs(outcome["matched words on their object"].mean - by_chance.mean) < 0.2


def test_what_helps_training_is_not_exported():
    made = trained(corpus())
    plain = Footprint()(made)
    head = MaskedWords().head(made.model)
    assert sum(one.numel() for one in head.parameters()) > 1000
    helped = dataclasses.replace(made, heads=torch.nn.ModuleDict({"masked words": head}))
    assert {name: one.mean for name, one in Footprint()(helped).items()} == {n: one.mean for n, one in plain.items()}
    deeper = Towers(MapTower(32), TextTower(16, 3, 2), dimension=24).build(
        (PLACES, 12), made.tokenizer.vocabulary_size, 24
    )
    more = Footprint()(dataclasses.replace(made, model=deeper))
    assert all(more[name].mean > plain[name].mean for name in ("text graph weights", "text graph operations"))
    weights = sum(one.numel() for one in made.model.text.parameters())
    assert plain["text graph weights"].mean == pytest.approx(weights, rel=0.02)


def test_no_sentence_about_an_object():
    made = corpus()
    with pytest.raises(InputError, match="is about one object"):
        Pointing(role="short")(trained(made))
