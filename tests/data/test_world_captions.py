"""English captions of the procedural world, read back by a parser that shares nothing with the grammar."""

from __future__ import annotations

import re
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world_reader import SAME, read, seen
from world_scenes import a_scene, an_object, randoms, scenes, scenes_of_any_world

from limner.core.errors import InputError
from limner.data.world import (
    WORLD_A,
    Scene,
    captions,
    describe,
    falsify,
    full_captions,
    long_description,
    paraphrases,
    say,
    scene_at,
    sentences_of,
    wrong_caption,
)
from limner.data.world.facts import Exists, Kind
from limner.data.world.planning import PLANNERS
from limner.data.world.twins import twin


@given(scenes, randoms)
def test_every_caption_is_true(scene: Scene, rng: Random) -> None:
    for caption in full_captions(scene, rng, 8):
        assert all(seen(fact, scene) for fact in read(caption.text)), caption
        assert len(read(caption.text)) == len(caption.facts)
        assert caption.truth(scene) is True


@given(scenes, randoms)
def test_a_wrong_caption_is_wrong_in_one_fact_only(scene: Scene, rng: Random) -> None:
    wrong = wrong_caption(scene, rng)
    now, before = read(wrong.text), read(wrong.right.text)
    assert all(seen(fact, scene) for fact in before), wrong
    changed = [a for a, b in zip(now, before, strict=True) if a != b]
    assert [seen(fact, scene) for fact in changed] == [False], wrong
    assert len(set(wrong.text.split()) ^ set(wrong.right.text.split())) <= 8, "more than a word and its grammar changed"


def test_every_way_of_being_wrong_occurs() -> None:
    ways = {wrong_caption(scene_at(1, index), Random(index)).changed for index in range(200)}
    assert ways == {"shape", "colour", "pattern", "size", "count", "relation", "background"}
    written = [scene_at(1, index, replace(WORLD_A, written=1.0)) for index in range(60)]
    ways = {falsify(long_description(scene, Random(i)), scene, Random(i)).changed for i, scene in enumerate(written)}
    assert {"place", "word"} <= ways


@given(scenes, randoms, st.integers(1, 50))
def test_as_many_different_captions_as_asked_for(scene: Scene, rng: Random, n: int) -> None:
    texts = captions(scene, rng, n)
    assert len(set(texts)) == len(texts) == n
    named = {fact for fact in read(texts[0]) if fact[0] == "things"}
    assert sum(least for _, least, _, _ in named) == len(scene.objects), "the first tells of all objects"


def test_captions_depend_on_the_generator_only() -> None:
    scene = scene_at(0, 5)
    assert captions(scene, Random(1)) == captions(scene, Random(1)) != captions(scene, Random(2))
    for n in (0, 51):
        with pytest.raises(InputError, match="choose 1 to 50"):
            captions(scene, Random(0), n)


def test_captions_use_negation_counts_and_relations() -> None:
    texts = " | ".join(text for index in range(50) for text in captions(scene_at(2, index), Random(index)))
    for words in (" no ", "two ", "left of", "above", " gradient", "grainy", "striped"):
        assert words in texts


# ---- styles

SHAPE_SYNONYMS = re.compile("disc|plus sign|half moon")


@given(scenes_of_any_world, randoms, st.sampled_from([*PLANNERS, "long"]))
def test_every_style_is_true_and_names_its_objects(scene: Scene, rng: Random, style: str) -> None:
    caption = describe(scene, rng, style)
    assert caption.truth(scene) is True
    assert caption.style == style or (caption.style == "short" and style in ("relation", "partial"))
    fitting = {i for fact in caption.facts for i in fact.objects(scene)}
    assert set(caption.objects) == fitting
    if style in ("full", "long"):
        assert fitting == set(range(len(scene.objects)))


def test_an_unknown_style_is_refused() -> None:
    with pytest.raises(InputError, match="choose full, short"):
        describe(scene_at(0, 0), Random(0), "poem")
    with pytest.raises(InputError, match="one wording only"):
        paraphrases(scene_at(0, 0), Random(0), "label")


def test_coarse_captions_and_labels_are_shared_by_many_scenes() -> None:
    texts = [describe(scene_at(0, index), Random(index), "coarse").text for index in range(300)]
    assert len(set(texts)) < 130
    scene = a_scene(an_object("heart", "orange"))
    assert {describe(scene, Random(seed), "label").text for seed in range(9)} == {"an orange heart"}


@given(scenes, randoms)
def test_paraphrases_state_the_same_in_other_words(scene: Scene, rng: Random) -> None:
    one, other = paraphrases(scene, rng)
    assert one.text != other.text
    assert sorted(map(str, read(one.text))) == sorted(map(str, read(other.text)))


@given(scenes, randoms)
def test_a_sentence_of_a_long_description_names_its_own_object(scene: Scene, rng: Random) -> None:
    caption = long_description(scene, rng)
    sentences = sentences_of(caption, scene)
    assert caption.text == " ".join(sentence.text for sentence in sentences)
    assert {i for sentence in sentences for i in sentence.objects} == set(range(len(scene.objects)))
    for sentence in sentences:
        assert sentence.truth(scene) is True
        assert sentence.text[0].isupper()
        assert sentence.text.endswith(".")
        for position in sentence.objects:
            thing = scene.objects[position]
            plain = re.sub("gray", "grey", SHAPE_SYNONYMS.sub(lambda found: SAME[found[0]], sentence.text))
            assert thing.colour in plain or thing.shape in plain


def test_a_long_description_has_the_length_asked_for() -> None:
    scene = scene_at(0, 0, replace(WORLD_A, fewest=6, most=9, scale=0.6))
    for sentences, fewest, most in ((10, 60, 120), (20, 140, 240)):
        caption = long_description(scene, Random(0), sentences=sentences)
        assert len(caption.facts) == sentences
        assert fewest <= len(caption.text.split()) <= most


@given(scenes, randoms, st.sampled_from(["pattern", "size", "texture"]))
def test_descriptions_of_twins_differ_in_one_sentence(scene: Scene, rng: Random, changed: str) -> None:
    other = twin(scene, rng, changed)
    if other is None:
        return
    seed = rng.random()
    texts = [
        [sentence.text for sentence in sentences_of(long_description(one, Random(seed)), one)]
        for one in (scene, other.scene)
    ]
    if len(texts[0]) == len(texts[1]):  # fewer where the change makes two objects alike
        assert sum(a != b for a, b in zip(*texts, strict=True)) == 1


@given(scenes_of_any_world, randoms, st.sampled_from([*PLANNERS, "long"]))
def test_one_fact_can_be_made_false_in_any_caption(scene: Scene, rng: Random, style: str) -> None:
    caption = describe(scene, rng, style)
    wrong = falsify(caption, scene, rng)
    assert wrong is not None
    assert wrong.caption.truth(scene) is False
    changed = [(a, b) for a, b in zip(wrong.caption.facts, caption.facts, strict=True) if a != b]
    assert [new.truth(scene) for new, _ in changed] == [False]
    assert wrong.right is caption
    assert wrong.caption.text != caption.text


def test_what_cannot_be_false_stays() -> None:
    scene = a_scene(*(an_object(shape) for shape in WORLD_A.shapes))
    caption = say([Exists(Kind("star"))], scene, language="en", style="short", voice=None)
    assert falsify(caption, scene, Random(0)) is None
