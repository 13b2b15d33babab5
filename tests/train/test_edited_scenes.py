"""Edited scenes are what they say, and picture + words is judged by what only both together can find."""

from __future__ import annotations

import numpy as np
import pytest
from train.fixed import fixed

from limner.core.errors import InputError
from limner.curate.rules import Length, NotRepeated, Rules
from limner.data.corpus import Corpora, Corpus, Text
from limner.data.world import Noise, scene_at
from limner.data.world.facts import Kind
from limner.train.corpora.edits import Edit, WithEdits
from limner.train.corpora.kept import Kept
from limner.train.corpora.noisy import NoisyScenes
from limner.train.evaluations.arithmetic import Arithmetic
from limner.train.evaluations.training_pairs import TrainingPairs
from limner.train.runs import Place

SCENES = NoisyScenes(scenes=40, tested=8, noise=Noise(vague=0.5))


def named(label: str) -> Kind:
    _, colour, shape = label.replace("an ", "a ").split(" ", 2)
    return Kind(shape, colour)


def test_what_was_added_is_there_and_what_was_removed_is_gone() -> None:
    data = WithEdits(SCENES, sources=12, recoloured=5)
    edits = data.edits()
    assert [edit.source for edit in edits[:12]] == [-1] * 12
    for edit in edits[12:]:
        source = edits[edit.source].scene
        before, after = named(edit.removed).among(source), named(edit.removed).among(edit.scene)
        assert (len(before), len(after)) == (1, 0)
        if edit.added:
            assert not named(edit.added).among(source)
            assert len(named(edit.added).among(edit.scene)) == 1
            assert len(edit.scene.objects) == len(source.objects)
            changed = [pair for pair in zip(source.objects, edit.scene.objects, strict=True) if pair[0] != pair[1]]
            assert [(one.centre, one.shape) for one, _ in changed] == [
                (other.centre, other.shape) for _, other in changed
            ]
            assert len(changed) == 1
        else:
            assert len(edit.scene.objects) == len(source.objects) - 1
    by_source = np.bincount([edit.source for edit in edits[12:] if edit.added])
    assert by_source.tolist() == [5] * 12


def vectors_for(edits: list[Edit]) -> tuple[Corpus, dict[str, list[float]]]:
    """A picture is the sum of a direction of its source and those of its objects' kinds; a label is its kind's."""
    kinds = sorted({(thing.colour, thing.shape) for edit in edits for thing in edit.scene.objects})
    sources = sum(edit.source < 0 for edit in edits)
    rows = np.zeros((len(edits), len(kinds) + sources), np.float32)
    for row, edit in enumerate(edits):
        rows[row, len(kinds) + (edit.source if edit.source >= 0 else row)] = 2
        for thing in edit.scene.objects:
            rows[row, kinds.index((thing.colour, thing.shape))] = 1
    said = {}
    for label in {one for edit in edits for one in (edit.added, edit.removed) if one}:
        kind = named(label)
        said[label] = np.eye(rows.shape[1], dtype=np.float32)[kinds.index((kind.colour, kind.shape))].tolist()
    texts = [[Text(text, "label") for text in (edit.added, edit.removed) if text] for edit in edits]
    return Corpus("edits", rows[:, None], texts, truth=edits), said


def test_both_together_find_what_neither_finds_alone() -> None:
    corpus, said = vectors_for(WithEdits(SCENES, sources=15, recoloured=8).edits())
    trained = fixed(Corpora(corpus, corpus, corpus, {"edits": corpus}), said)
    found = {name: measured.mean for name, measured in Arithmetic()(trained).items()}
    for sign in ("plus", "minus"):
        both = found[f"{sign}, picture and words: recall@1"]
        assert both > found[f"{sign}, picture alone: recall@1"] + 0.3
        assert both > found[f"{sign}, words alone: recall@1"] + 0.3
    assert found["plus, picture and words: recall@1"] > 0.9


def test_a_fake_that_ignores_the_words_gains_nothing() -> None:
    corpus, said = vectors_for(WithEdits(SCENES, sources=10, recoloured=6).edits())
    deaf = dict.fromkeys(said, [1.0] + [0.0] * (corpus.images.shape[-1] - 1))
    trained = fixed(Corpora(corpus, corpus, corpus, {"edits": corpus}), deaf)
    found = {name: measured.mean for name, measured in Arithmetic()(trained).items()}
    assert found["plus, picture and words: recall@1"] < 0.3


def test_other_data_are_refused() -> None:
    corpus = Corpus("plain", np.zeros((2, 1, 4), np.float32), [[], []], truth=[scene_at(0, 0), scene_at(0, 1)])
    trained = fixed(Corpora(corpus, corpus, corpus), {"nothing": [1.0, 0, 0, 0]})
    with pytest.raises(InputError, match="WithEdits"):
        Arithmetic("test")(trained)


def test_the_filter_takes_texts_and_pictures_without_any(tmp_path) -> None:
    place = Place(tmp_path)
    whole = SCENES.load(place)
    kept = Kept(SCENES, Rules((NotRepeated(1), Length(3, 60)))).load(place)
    said = [text.text for texts in whole.train.texts for text in texts if text.role == "caption"]
    clean = [text for text, trouble in zip(said, whole.train.targets["trouble"], strict=True) if not trouble]
    assert [text.text for texts in kept.train.texts for text in texts if text.role == "caption"] == clean
    assert len(kept.train) == len(clean) == 20
    assert kept.train.truth == [
        scene for scene, t in zip(whole.train.truth, whole.train.targets["trouble"], strict=True) if not t
    ]
    assert len(kept.test) == len(whole.test)
    trained = fixed(kept, {"nothing": [1.0]})
    assert TrainingPairs()(trained)["training pairs"].mean == 20
    with pytest.raises(InputError, match="keeps no text"):
        Kept(SCENES, Rules((Length(500, 900),))).load(place)
