"""Truth about scenes and between scenes: graphs, labels, similarity, twins, duplicates, complexity."""

from __future__ import annotations

import json
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world_scenes import a_scene, an_object, numbers, randoms, scenes, scenes_of_any_world

from limner.core.errors import InputError
from limner.data.world import (
    WORLD_A,
    WORLD_B,
    Scene,
    draw,
    label_ids,
    label_names,
    label_vectors,
    near_duplicates,
    scene_at,
    scene_graph,
    similarities,
    twin,
)
from limner.data.world.complexity import GRID, attribute_values, complex_pair
from limner.data.world.facts import Count, Kind
from limner.data.world.twins import TWIN_CHANGES
from limner.data.world.worlds import ATTRIBUTES


@given(scenes_of_any_world)
def test_a_graph_tells_the_scene_in_json(scene: Scene) -> None:
    graph = json.loads(json.dumps(scene_graph(scene)))
    assert [(o["shape"], o["colour"], o["pattern"], o["size"]) for o in graph["objects"]] == [
        (o.shape, o.colour, o.pattern, o.size) for o in scene.objects
    ]
    assert graph["relations"] == [[r.subject, r.direction, r.other] for r in scene.relations]
    for name, number in graph["counts"].items():
        *colour, last = name.split()
        kind = Kind(last, *colour) if last in scene.world.shapes else Kind(colour=last)
        assert Count(kind, number).truth(scene)
    assert graph["background"] == {"colour": scene.background.colour, "texture": scene.background.texture}
    assert graph["word"] is None


@given(scenes_of_any_world)
def test_labels_name_the_objects(scene: Scene) -> None:
    names = label_names(scene.world)
    assert len(names) == len(scene.world.shapes) * len(scene.world.colours)
    assert [names[i] for i in label_ids(scene)] == [f"{thing.colour} {thing.shape}" for thing in scene.objects]
    assert [label_names(scene.world, ["pattern"])[i] for i in label_ids(scene, ["pattern"])] == [
        thing.pattern for thing in scene.objects
    ]


def test_label_vectors_are_the_labels() -> None:
    found = [scene_at(0, index, WORLD_B) for index in range(20)]
    vectors = label_vectors(found)
    assert vectors.shape == (20, 100)
    for row, scene in zip(vectors, found, strict=True):
        assert set(np.flatnonzero(row)) == set(label_ids(scene))
    assert label_vectors([]).shape == (0, 100)


@given(st.lists(scenes, min_size=2, max_size=5))
def test_similarity_is_one_for_the_same_and_the_same_from_both_sides(found: list[Scene]) -> None:
    table = similarities(found, found)
    assert np.allclose(np.diag(table), 1)
    assert np.allclose(table, table.T)
    assert table.min() >= 0
    assert table.max() <= 1 + 1e-6


def test_similarity_falls_with_each_difference() -> None:
    red, blue = an_object(x=0.2), an_object("star", "blue", x=0.8)
    scene = a_scene(red, blue)
    moved = a_scene(replace(red, centre=(0.2, 0.51)), blue)
    dotted = a_scene(replace(red, pattern="dotted"), blue)
    swapped = a_scene(replace(red, centre=blue.centre), replace(blue, centre=red.centre))
    exchanged = a_scene(replace(red, colour="blue"), replace(blue, colour="red"))
    alone = a_scene(red)
    row = similarities([scene], [moved, dotted, swapped, exchanged, alone])[0]
    assert row[0] == 1
    assert (row[1:] < 1).all()
    assert row[4] < min(row[1], row[2])


@given(scenes_of_any_world, randoms, st.sampled_from([name for name in TWIN_CHANGES if name != "word"]))
def test_a_twin_differs_in_what_it_says_and_nothing_else(scene: Scene, rng: Random, changed: str) -> None:
    other = twin(scene, rng, changed)
    if other is None:
        assert changed in ("size", "swap", "shape")
        return
    assert other.changed == changed
    differing = tuple(i for i, (a, b) in enumerate(zip(scene.objects, other.scene.objects, strict=True)) if a != b)
    assert differing == tuple(sorted(other.objects))
    for position in differing:
        before, after = scene.objects[position], other.scene.objects[position]
        assert [name for name in ATTRIBUTES if getattr(before, name) != getattr(after, name)] == [
            name for name in ATTRIBUTES if name == changed
        ]
    if changed == "swap":
        first, second = (scene.objects[i] for i in other.objects)
        assert [other.scene.objects[i].centre for i in other.objects] == [second.centre, first.centre]
    graph, twin_graph = scene_graph(scene), scene_graph(other.scene)
    assert (graph["background"] != twin_graph["background"]) == (changed in ("background", "texture"))
    assert np.asarray(draw(scene, 64)).tolist() != np.asarray(draw(other.scene, 64)).tolist()


def test_a_twin_of_a_written_word_reads_otherwise() -> None:
    found = [scene_at(0, index, replace(WORLD_A, written=1.0)) for index in range(20)]
    for scene in found:
        other = twin(scene, Random(0), "word")
        if scene.word is not None and other is not None:
            assert other.scene == replace(scene, word=other.scene.word)
            assert other.scene.word.text != scene.word.text
    assert twin(scene_at(0, 0), Random(0), "word") is None
    with pytest.raises(InputError, match="choose shape, colour"):
        twin(scene_at(0, 0), Random(0), "mood")


@given(scenes, randoms)
def test_some_twin_is_always_possible(scene: Scene, rng: Random) -> None:
    assert twin(scene, rng) is not None


@given(scenes_of_any_world, randoms)
def test_near_duplicates_share_their_description(scene: Scene, rng: Random) -> None:
    caption, others = near_duplicates(scene, rng, 4)
    assert caption.truth(scene) is True
    assert len(set(others)) == 4
    for other in others:
        assert caption.truth(other) is True
        assert sorted(label_ids(other)) == sorted(label_ids(scene))
        assert other.objects != scene.objects


@given(numbers, st.integers(1, 36), st.sampled_from([GRID, replace(WORLD_B, grid=3, most=9)]))
def test_a_text_has_exactly_the_complexity_asked_for(seed: int, complexity: int, world: object) -> None:
    pair = complex_pair(seed, 0, complexity, world)
    assert pair.complexity == complexity
    assert pair.table.shape == (len(pair.scene.objects), len(attribute_values(world)))
    assert len(pair.sentences) == len(pair.scene.objects)
    columns = attribute_values(world)
    told = np.zeros_like(pair.table)
    for sentence in pair.sentences:
        (position,), (fact,) = sentence.objects, sentence.facts
        assert fact.kind.matches(pair.scene.objects[position])
        for name in ATTRIBUTES:
            if getattr(fact.kind, name):
                told[position, columns.index(getattr(fact.kind, name))] = True
    assert (told == pair.table).all()
    assert (pair.told == pair.table.any(0)).all()
    assert pair.caption.text == " ".join(sentence.text for sentence in pair.sentences)


def test_an_impossible_complexity_is_refused() -> None:
    for complexity in (0, 37):
        with pytest.raises(InputError, match="choose 1 to 36"):
            complex_pair(0, 0, complexity)
    assert complex_pair(0, 1, 15) != complex_pair(0, 2, 15)


def test_near_duplicates_of_a_full_grid_find_room() -> None:
    scene = scene_at(0, 0, replace(WORLD_A, fewest=14, most=14, grid=4))
    caption, others = near_duplicates(scene, Random(0), 3, "de")
    assert caption.language == "de"
    assert [caption.truth(other) for other in others] == [True] * 3
